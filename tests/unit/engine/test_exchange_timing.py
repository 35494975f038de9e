"""Load of an exchange phase against a naive count, piece by piece and tile by tile."""

from collections import Counter

import numpy as np
import pytest
from handmade import cases
from hypothesis import given, settings
from hypothesis import strategies as st

from ipusim.chip.load import load_chip
from ipusim.engine.charges import NONE, Charges, charges_of
from ipusim.engine.exchange_timing import exchange_load
from ipusim.ir.program import Program, Transfers, Variable
from ipusim.ir.regions import whole_boxes

BOW = load_chip("bow")


def naive_load(transfers, program, chip):
    """Count bytes sent, received, received with the whole bus, and fragments of every tile."""
    sent, received, shared, fragments = Counter(), Counter(), Counter(), Counter()
    element_bytes = program.variables[transfers.variable].element_bytes
    for index, source in enumerate(transfers.source):
        piece = int(transfers.regions.n_elements[index]) * element_bytes
        group = transfers.group[index]
        tiles = transfers.group_tiles[transfers.group_indptr[group] : transfers.group_indptr[group + 1]].tolist()
        sent[int(source)] += piece
        for tile in tiles:
            if tile == source:
                continue
            received[tile] += piece
            fragments[tile] += 1
            first = tile // chip.tiles_per_exchange_bus * chip.tiles_per_exchange_bus
            if chip.exchange_bus_sharing and set(range(first, first + chip.tiles_per_exchange_bus)) <= set(tiles):
                shared[tile] += piece
    return sent, received, shared, fragments


def naive_cycles(exchange, program, chip, charges):
    cycles = np.zeros(program.n_tiles, dtype=int)
    loads = [naive_load(transfers, program, chip) for transfers in exchange]
    for tile in range(program.n_tiles):
        payload = 0
        for _, received, shared, _ in loads:
            payload += -(-shared[tile] // (chip.exchange_bus_rate_factor * chip.exchange_bytes_per_cycle))
            payload += -(-(received[tile] - shared[tile]) // chip.exchange_bytes_per_cycle)
        sent = -(-sum(load[0][tile] for load in loads) // chip.exchange_bytes_per_cycle)
        control = charges.fragment_cycles * sum(load[3][tile] for load in loads)
        if any(load[0][tile] or load[1][tile] for load in loads):
            cycles[tile] = max(payload, sent, control) + charges.exchange_cycles
    return cycles


def _phases(program):
    return [step.exchange for step, _ in program.supersteps() if step.exchange]


@given(cases(), st.sampled_from((NONE, Charges(1, 2, 5, 0, 0, True), Charges(0, 0, 0, 0, 7, True))))
@settings(max_examples=100, deadline=None)
def test_load_is_the_naive_count(case, charges):
    program = case.program
    for exchange in _phases(program):
        load = exchange_load(exchange, program, case.chip, charges)
        counts = [naive_load(transfers, program, case.chip) for transfers in exchange]
        for place, found in enumerate((load.sent, load.received)):
            expected = [sum(count[place][tile] for count in counts) for tile in range(program.n_tiles)]
            assert found.tolist() == expected
        assert load.fragments.tolist() == [sum(count[3][tile] for count in counts) for tile in range(program.n_tiles)]
        assert load.cycles.tolist() == naive_cycles(exchange, program, case.chip, charges).tolist()


@given(cases())
@settings(max_examples=100, deadline=None)
def test_what_is_received_is_what_is_sent_times_its_receivers(case):
    program = case.program
    for exchange in _phases(program):
        for transfers in exchange:
            load = exchange_load((transfers,), program, case.chip, NONE)
            pieces = transfers.regions.n_elements * program.variables[transfers.variable].element_bytes
            groups = [
                set(transfers.group_tiles[begin:end].tolist())
                for begin, end in zip(transfers.group_indptr[:-1], transfers.group_indptr[1:], strict=True)
            ]
            receivers = [
                len(groups[group]) - (source in groups[group])
                for source, group in zip(transfers.source.tolist(), transfers.group.tolist(), strict=True)
            ]
            assert load.sent.sum() == pieces.sum()
            assert load.received.sum() == (pieces * receivers).sum()
            assert load.moves == (load.received.sum() > 0 or load.sent.sum() > 0)


def _multicast(source, groups, elements, n_tiles=8):
    """Return a program of 2-byte elements and transfers of equal pieces, piece ``i`` to group ``i``."""
    variable = Variable("v", (1, 1, 1000), "float16", "tensor", "v", 2)
    program = Program("p", n_tiles, {"v": variable}, (), {}, {})
    box = np.array([[0, 1, 0, 1, 0, elements]] * len(source), dtype=np.int64).reshape(-1, 6)
    transfers = Transfers(
        variable="v",
        label="inputs",
        source=np.array(source, dtype=np.int32),
        regions=whole_boxes(box),
        group=np.arange(len(source), dtype=np.int32),
        group_indptr=np.cumsum([0, *(len(group) for group in groups)]),
        group_tiles=np.array([tile for group in groups for tile in group], dtype=np.int32),
    )
    return program, transfers


def test_a_multicast_is_sent_once_and_a_member_that_sends_receives_nothing():
    program, transfers = _multicast([1], [[0, 1, 2]], 10)
    chip = BOW.replace(n_tiles=8, exchange_bus_sharing=False)
    load = exchange_load((transfers,), program, chip, NONE)
    assert load.sent.tolist() == [0, 20, 0, 0, 0, 0, 0, 0]
    assert load.received.tolist() == [20, 0, 20, 0, 0, 0, 0, 0]
    assert load.fragments.tolist() == [1, 0, 1, 0, 0, 0, 0, 0]
    assert load.cycles.tolist() == [5, 5, 5, 0, 0, 0, 0, 0]


def test_only_a_bus_whose_tiles_all_listen_is_shared():
    # Tiles 2 and 3 share a bus and both listen; of tiles 4 and 5 only one does.
    program, transfers = _multicast([0], [[2, 3, 4]], 100)
    load = exchange_load((transfers,), program, BOW.replace(n_tiles=8), NONE)
    assert load.cycles.tolist() == [50, 0, 25, 25, 50, 0, 0, 0]


def test_a_bus_of_four_tiles_is_shared_by_all_or_not_at_all():
    program, transfers = _multicast([4, 4], [[0, 1, 2, 3], [0, 1, 2]], 100)
    load = exchange_load((transfers,), program, BOW.replace(n_tiles=8, tiles_per_exchange_bus=4), NONE)
    assert load.cycles.tolist() == [75, 75, 75, 25, 100, 0, 0, 0]


def test_a_phase_in_which_nothing_moves_costs_nothing():
    program, transfers = _multicast([], [], 1)
    load = exchange_load((transfers,), program, BOW.replace(n_tiles=8), charges_of(BOW))
    assert not load.moves
    assert load.cycles.tolist() == [0] * 8


def test_bytes_that_come_from_a_home_are_taken_as_given():
    program, transfers = _multicast([-1, -1], [[0], [1]], 50)
    sent, received = (np.array(values, dtype=np.int64) for values in ([0, 0, 200] + [0] * 5, [100, 100] + [0] * 6))
    given_bytes = Transfers(
        transfers.variable,
        transfers.label,
        transfers.source,
        transfers.regions,
        transfers.group,
        transfers.group_indptr,
        transfers.group_tiles,
        bytes_sent=sent,
        bytes_received=received,
    )
    load = exchange_load((given_bytes,), program, BOW.replace(n_tiles=8), NONE)
    assert load.cycles.tolist() == [25, 25, 50, 0, 0, 0, 0, 0]
    assert load.fragments.tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("rate", [1, 3, 4, 7, 64])
def test_rates_that_do_not_divide_round_up(rate):
    program, transfers = _multicast([0], [[2]], 11)
    chip = BOW.replace(n_tiles=8, exchange_bytes_per_cycle=rate)
    assert exchange_load((transfers,), program, chip, NONE).cycles[2] == -(-22 // rate)


def test_charges_of_a_chip():
    assert charges_of(BOW) == Charges(60, 126, 112 + 51 + 0, 2, 3, True, 100)
