"""The linear system as gap_fit dumps it, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xpot_core.api import FitError, FitRequest, Frame
from xpot_gap.gap_fit import xml
from xpot_gap.gap_fit.plan import DATA, Plan
from xpot_gap.linear_system.dump import read_dump
from xpot_gap.linear_system.rows import check_layout, row_map
from xpot_gap.linear_system.stored import KernelMatrix, Stored

DUMP = "system"
_BARE = "environments.xyz"


def build(plan: Plan, request: FitRequest, frames: Sequence[Frame], parent: Stored | None) -> Stored:
    """Run gap_fit and read its linear system; with a parent, at its sparse points and length scales."""
    directory = request.directory
    files: dict[str, str] = {}
    if parent is not None:
        sparse = {f"sparse-{i}.txt": points for i, points in enumerate(xml.sparse_points(parent.text))}
        theta = {f"theta-{i}.txt": scales for i, scales in enumerate(xml.length_scales(parent.text))}
        files = sparse | theta
        plan = plan.with_files(list(sparse), list(theta))
    for name, content in files.items():
        (directory / name).write_text(content, encoding="ascii")
    given = plan.write_inputs(directory, frames, DATA, virials=True, sigmas=False)
    arguments = plan.arguments(DATA, plan.probe, [f"linear_system_dump_file={DUMP}"])
    plan.foresee(directory, arguments, request.limits, request.threads)
    _, text = plan.execute(directory, arguments, given, request.limits, request.threads)
    for name in files:
        (directory / name).unlink()
    system = read_dump(directory / DUMP)
    rows = row_map(frames, [0] * len(frames), request.data.groups)
    check_layout(system, rows, frames, plan.e0, core=bool(plan.options.core_param_file))
    if parent is not None and not np.allclose(system.sparse, parent.sparse, rtol=1e-9, atol=1e-12):
        raise FitError("gap_fit did not take the sparse points that it was given")
    return Stored(KernelMatrix([system.kernel], [1.0]), system.target, system.sparse, text)


def choose_sparse_points(plan: Plan, request: FitRequest, frames: Sequence[Frame]) -> str:
    """Let gap_fit choose among the environments, without kernels and fit: a potential of coefficients zero.

    The file holds no forces, so that no gradients are computed; they have no part in the choice.
    """
    bare = [replace(f, energy=0.0, forces=None, virial=None, force_mask=None) for f in frames]
    given = plan.write_inputs(request.directory, bare, _BARE, virials=False, sigmas=False)
    arguments = plan.arguments(_BARE, plan.probe, ["sparsify_only_no_fit=T"])
    plan.foresee(request.directory, arguments, request.limits, request.threads)
    return plan.execute(request.directory, arguments, given, request.limits, request.threads)[1]
