"""What parts of a linear system depend on, as sha256: the keys of the cache."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from xpot_core.api import Frame
from xpot_gap.gap_fit.plan import Plan
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.options import GapOptions

_FORMAT = 3
"""Raise it when what is kept under a key changes."""


def digest_of(*parts: Any) -> str:
    """sha256 of plain data, strings and arrays."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype.str}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode() + b"|")
    return digest.hexdigest()


def columns_key(structures: str, descriptor: str, choice: Sequence[Any]) -> str:
    """Key of the kernel rows of one descriptor, whatever its delta and the power of its dot product.

    Parameters
    ----------
    structures
        Digest of the structures.
    descriptor
        As quippy takes it.
    choice
        What the sparse points depend on besides.
    """
    bare = re.sub(r"\s*\b(delta|zeta)=\S+", "", descriptor)
    return digest_of("columns", _FORMAT, version("quippy-ase"), structures, bare, choice)


def run_key(plan: Plan, frames: Sequence[Frame], parent: str | None, what: str) -> str:
    """Key of what a run of gap_fit makes of frames, its linear system or its sparse points.

    Parameters
    ----------
    parent
        The potential whose sparse points are taken, if any.
    """
    of_frames = [
        digest_of(
            frame.atoms.get_chemical_symbols(),
            frame.atoms.pbc.tolist(),
            plan.names[frame.group],
            frame.energy,
            *(
                None if values is None else np.asarray(values)
                # sigmas and weights have no part in the kernels
                for values in (frame.forces, frame.virial, frame.force_mask)
            ),
            frame.atoms.positions,
            frame.atoms.cell.array,
        )
        for frame in frames
    ]
    # gap_fit chooses sparse points in the order in which groups are named
    arguments = plan.arguments("", plan.probe[1:])
    return digest_of(what, _FORMAT, arguments, of_frames, _program(plan), core_key(plan), parent)


def core_key(plan: Plan) -> list[str] | None:
    """What tells one core potential from another."""
    if plan.core_file is None:
        return None
    return [plan.options.core_ip_args, hashlib.sha256(plan.core_file.read_bytes()).hexdigest()]


def _program(plan: Plan) -> list[str | int]:
    """What tells one version of quippy and gap_fit from another."""
    options: GapOptions = plan.options
    program = gap_fit_program(options.program)
    return [version("quippy-ase"), str(program), program.stat().st_size, program.stat().st_mtime_ns]
