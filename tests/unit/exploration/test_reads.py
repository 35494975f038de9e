"""Work shared by chips that agree in what was read of them."""

import ipusim
from ipusim.exploration.evaluation import Evaluator
from ipusim.exploration.load import load_space
from ipusim.exploration.reads import ChipMemo, TracedChip
from ipusim.exploration.resolving import Resolver

TINY = ipusim.load_chip("tiny")


def test_reads_are_noted():
    chip = TracedChip.of(TINY)
    assert chip.reads == frozenset()
    assert chip.total_sram_bytes == TINY.total_sram_bytes
    assert chip.reads == {"n_tiles", "tile_sram_bytes"}
    assert chip.content_key() == TINY.content_key()
    assert chip.reads == set(type(TINY).model_fields)
    assert hash(TracedChip.of(TINY)) == hash(TINY)


def test_work_is_done_once_for_chips_that_agree_in_what_it_read():
    memo, done = ChipMemo(2), []

    def work(chip):
        done.append(chip.n_tiles)
        return chip.n_tiles + (chip.sync_cycles if chip.n_tiles > 4 else 0)

    chips = [TINY.replace(n_tiles=n, sync_cycles=s) for n in (4, 8) for s in (10, 20)]
    assert [memo.get("key", chip, work)[0] for chip in chips] == [4, 4, 18, 28]
    assert done == [4, 8, 8]
    assert memo.get("other", chips[0], work)[0] == 4
    assert done == [4, 8, 8, 4]


def test_shared_programs_give_the_cycles_of_a_fresh_simulation():
    """Points that share plans, programs and times agree with simulations of their own."""
    space = load_space(
        {
            "chip": "bow",
            "workloads": [
                {"workload": {
                    "name": kind,
                    "tensors": {
                        "w": {"shape": [256, 256], **sparse}, "x": {"shape": [256, 64]}, "b": {"shape": [256, 1]},
                    },
                    "ops": [
                        {"op": "matmul", "inputs": ["w", "x"], "output": "y"},
                        {"op": "add", "inputs": ["y", "b"], "output": "z"},
                    ],
                }, "name": kind}
                for kind, sparse in (
                    ("dense", {}),
                    ("static", {"sparsity": {"density": "1/8", "block_size": 4}}),
                    ("dynamic", {"sparsity": {"density": "1/8", "block_size": 4, "mode": "dynamic"}}),
                )
            ],
            "parameters": {"n_tiles": [64, 128]},
        }
    )  # fmt: skip
    resolver, evaluator = Resolver(space), Evaluator()
    changes = {
        "clock_hz": 1e9, "sync_cycles": 500, "exchange_bytes_per_cycle": 8, "copy_bytes_per_cycle": 4,
        "exchange_mux_cycles": 40, "exchange_control_cycles_per_fragment": 30, "compute_set_overhead_cycles": 99,
        "worker_contexts": 4, "tile_sram_bytes": 2 * 16384, "tiles_per_exchange_row": 16, "data_path_bytes": 16,
    }  # fmt: skip
    for case in resolver.cases({"n_tiles": 64}):
        base = ipusim.load_chip("bow", n_tiles=64)
        for chip in (base, *(base.replace(**{name: value}) for name, value in changes.items())):
            row = evaluator.row(chip, case)
            run = ipusim.simulate(case.workload, chip, explain=False)
            assert row["status"] == ("infeasible" if run.infeasible else "ok"), row
            figures = row["figures"]
            assert figures.get("cycles") == run.cycles
            assert figures.get("energy_j") == run.energy_j
            if run.cycles is not None:
                assert figures["seconds"] == run.seconds
                assert figures["max_tile_bytes"] == run.memory["max_tile_bytes"]
