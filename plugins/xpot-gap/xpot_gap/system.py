"""The linear system of a GAP, kept in the cache: made natively, or by gap_fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

import numpy as np

from xpot_core.api import BoundedCache, FitRequest, Frame
from xpot_gap import by_gap_fit
from xpot_gap.native import build as native
from xpot_gap.options import GapOptions
from xpot_gap.plan import Plan
from xpot_gap.runner import gap_fit_program
from xpot_gap.stored import Stored


def stored_system(
    cache: BoundedCache,
    plan: Plan,
    request: FitRequest,
    frames: Sequence[Frame],
    parent: Stored | None = None,
) -> Stored:
    """The system of some frames, from the cache if an equal one was made before.

    Parameters
    ----------
    parent
        The system whose sparse points are taken; without, they are chosen among the frames.
    """
    build = native.build if plan.options.engine == "native" else by_gap_fit.build
    key = _key(plan, frames, parent)
    return cache.fetch(key, partial(build, plan, request, frames, parent), Stored.to_entry, Stored.from_entry)


def _key(plan: Plan, frames: Sequence[Frame], parent: Stored | None) -> str:
    """sha256 over everything that the kernels depend on."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(json.dumps([frame.atoms.get_chemical_symbols(), frame.atoms.pbc.tolist()]).encode())
        digest.update(f"{plan.names[frame.group]}|{frame.energy!r}".encode())
        for values in (frame.atoms.positions, frame.atoms.cell.array, frame.forces, frame.virial):
            digest.update(b"-" if values is None else np.ascontiguousarray(values, dtype=float).tobytes())
        # Sigmas and weights have no part in the kernels.
        if frame.force_mask is not None:
            digest.update(b"mask" + np.ascontiguousarray(frame.force_mask, dtype=bool).tobytes())
    options = plan.options
    facts = {
        "format": 2,
        "engine": [options.engine, options.sparse_selection],
        "arguments": plan.arguments("", ()),
        "frames": digest.hexdigest(),
        "program": _program(options),
        "core": hashlib.sha256(plan.core_file.read_bytes()).hexdigest() if plan.core_file else None,
        "parent": hashlib.sha256(parent.text.encode()).hexdigest() if parent else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _program(options: GapOptions) -> list[str | int]:
    """What tells one version of quippy and gap_fit from another."""
    quippy = version("quippy-ase")
    if options.engine == "native" and options.sparse_selection == "native":
        return [quippy]
    program = gap_fit_program(options.program)
    return [quippy, str(program), program.stat().st_size, program.stat().st_mtime_ns]
