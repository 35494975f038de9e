"""The state of a training, and how it is kept in a file: whole or not at all."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ipusim.errors import BadInputError, Problem
from ipusim.files.arrays import open_archive
from ipusim.files.atomic import write_atomic
from ipusim.formats.loss_scale import LossScale
from ipusim.training.data import F32Array
from ipusim.training.topology import BoolArray

_META = "meta"

STATIC = LossScale(1.0, 0)
"""No scale of the loss."""


@dataclass(slots=True)
class Totals:
    """What a training has taken on the chip so far.

    Attributes
    ----------
    cycles : int
    flops : int
    seconds, energy_j : float
    topology_s : float
        Part of the seconds that changes of the connections have taken beyond an ordinary step.
    changed : int
        Connections that were replaced or removed.
    skipped : int
        Steps that were left out because gradients overflowed.
    """

    cycles: int = 0
    flops: int = 0
    seconds: float = 0.0
    energy_j: float = 0.0
    topology_s: float = 0.0
    changed: int = 0
    skipped: int = 0


@dataclass(slots=True)
class State:
    """A training after some steps.

    Attributes
    ----------
    step : int
        Steps done.
    weights, states : dict of str to float32 array
    masks : dict of str to bool array
    totals : Totals
    losses : list of float
        Since the last log line.
    log : list of str
        All log lines.
    scale : LossScale
        Of the loss in the next step.
    """

    step: int
    weights: dict[str, F32Array]
    states: dict[str, F32Array]
    masks: dict[str, BoolArray]
    totals: Totals = field(default_factory=Totals)
    losses: list[float] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    scale: LossScale = STATIC


def write_checkpoint(path: Path, state: State, fingerprint: str) -> None:
    """Write a state; the same state always makes the same bytes."""
    meta = {
        "fingerprint": fingerprint,
        "step": state.step,
        "totals": {name: getattr(state.totals, name) for name in Totals.__slots__},
        "losses": state.losses,
        "log": state.log,
        "scale": asdict(state.scale),
    }
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for part in ("weights", "states", "masks"):
        arrays |= {f"{part}:{name}": values for name, values in getattr(state, part).items()}
    arrays[_META] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    write_atomic(path, stream.getvalue())


def read_checkpoint(path: Path, fingerprint: str, first: State) -> State:
    """Return the state in a file; `first` is the one that the same training begins with.

    Raises
    ------
    BadInputError
        The file is no checkpoint, or that of another training.
    """
    try:
        with open_archive(path) as held:
            arrays = {name: held.array(name) for name in held.names}
        meta = json.loads(arrays.pop(_META).tobytes())
        parts: dict[str, dict[str, F32Array]] = {"weights": {}, "states": {}, "masks": {}}
        for name, values in arrays.items():
            part, _, tensor = name.partition(":")
            parts[part][tensor] = values
        state = State(
            meta["step"],
            **parts,  # type: ignore[arg-type]
            totals=Totals(**meta["totals"]),
            losses=meta["losses"],
            log=meta["log"],
            scale=LossScale(**meta["scale"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInputError([Problem(str(path), 0, 0, "", f"is no checkpoint: {error}")]) from None
    if meta["fingerprint"] != fingerprint:
        message = "is the checkpoint of another training: workload, chip, method, steps or seed differ"
        raise BadInputError([Problem(str(path), 0, 0, "", message, "train without --resume, or into another file")])
    if not isinstance(state.step, int) or _arrays(state) != _arrays(first):
        raise BadInputError([Problem(str(path), 0, 0, "", "is damaged: its arrays are not those of this training")])
    return state


def _arrays(state: State) -> dict[tuple[str, str], object]:
    """Return shape and kind of every array of a state."""
    parts: dict[str, dict[str, Any]] = {"weights": state.weights, "states": state.states, "masks": state.masks}
    return {
        (part, name): (values.shape, values.dtype) for part, arrays in parts.items() for name, values in arrays.items()
    }
