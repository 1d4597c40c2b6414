"""The linear system of a GAP from kernel rows of its descriptors, made now or kept from an earlier trial."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.linalg import block_diag

from xpot_core.api import BoundedCache, CacheEntry, FitRequest, FloatArray, Frame, InfeasibleError
from xpot_gap.gap_fit.by_gap_fit import choose_sparse_points
from xpot_gap.gap_fit.command import DescriptorCommand
from xpot_gap.gap_fit.keys import columns_key, digest_of, run_key
from xpot_gap.gap_fit.plan import DATA, Plan
from xpot_gap.gap_fit.sigmas import pool_groups
from xpot_gap.linear_system.stored import KernelMatrix, Stored
from xpot_gap.native.choose import METHODS, NESTED, IntArray, choose
from xpot_gap.native.columns import Columns, KeptColumns
from xpot_gap.native.descriptors.settings import setting
from xpot_gap.native.kernels import SparsePoints, sparse_kernel
from xpot_gap.native.passes.all_structures import all_values, check_memory, kernel_rows, memory_bound, say
from xpot_gap.native.passes.forecast import forecast
from xpot_gap.native.structures import Part
from xpot_gap.native.terms import DescriptorOf, Term, potential_text, quippy_text, read_terms

_SMALLEST_THETA = 1e-8
USUAL_ZETA = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
"""Made together where a study searches among them, or as soon as a second one is wanted."""
_ROOM = 2.5e9
"""Bytes of rows that may be made beyond those that are wanted."""
_FRAMES_AT_ONCE = 20


@dataclass(frozen=True, eq=False)
class Wanted:
    """Rows wanted of one descriptor.

    Attributes
    ----------
    title, text
        For messages; as quippy takes it.
    zeta
        Power of the dot product; 0 for a squared exponential.
    n
        Number of sparse points.
    zeta_tuned
        Whether the study searches for the power.
    """

    title: str
    text: str
    zeta: float
    n: int
    zeta_tuned: bool = False

    def served_by(self, columns: Columns) -> bool:
        """Whether kept columns hold what is wanted."""
        return self.zeta in columns.rows and columns.asked >= self.n


def build(
    plan: Plan,
    request: FitRequest,
    training: Sequence[Frame],
    held: Sequence[Frame],
    kept: KeptColumns,
) -> tuple[Stored, Stored | None]:
    """The systems of training frames and of those that are held out, at the sparse points of the first."""
    parts = [Part.of(plan, frames) for frames in (training, held) if frames]
    if not kept.earlier:
        _foretell(plan, request, parts)
    given: Sequence[Term | None] = [None] * len(plan.descriptors)
    if plan.options.sparse_selection != "native" or not _chosen_natively(plan):
        given = read_terms(_chosen_by_gap_fit(plan, request, training, kept.cache))
    terms: list[Term] = []
    matrices: list[list[FloatArray]] = [[] for _ in parts]
    for i, (command, term) in enumerate(zip(plan.descriptors, given, strict=True)):
        found = _columns(plan, request, parts, kept, i, command, term)
        n = _number(command, term)
        text = _descriptor_of(command, term)
        delta, zeta = setting(command.settings, "delta"), setting(command.settings, "zeta")
        assert delta is not None
        kernel = DescriptorOf(text).kernel(delta, zeta, found[0].theta)
        terms.append(Term(text, kernel, found[0].points.first(n)))
        for matrix, columns in zip(matrices, found, strict=True):
            matrix.append(columns.rows[kernel.zeta or 0.0][:, :n])
    factors = [term.kernel.delta**2 for term in terms]
    sparse: FloatArray = block_diag(*(sparse_kernel(t.kernel, t.points) for t in terms))
    sparse[np.diag_indices(len(sparse))] += plan.options.sparse_jitter
    text = _text_of(plan, terms)
    systems = [
        Stored(KernelMatrix(matrix, factors), part.targets(plan, kept.cache), sparse, text)
        for part, matrix in zip(parts, matrices, strict=True)
    ]
    return systems[0], systems[1] if held else None


def rows_at(plan: Plan, request: FitRequest, text: str, frames: Sequence[Frame]) -> Iterator[FloatArray]:
    """Rows (1 + 3 n, m) of any frames at the sparse points of a potential: the energy in eV/atom, then the forces.

    Forces have the sign of gradients.
    """
    terms = read_terms(text)
    for start in range(0, len(frames), _FRAMES_AT_ONCE):
        bare = [
            replace(f, energy=0.0, forces=np.zeros((f.n_atoms, 3)), force_mask=None, virial=None)
            for f in frames[start : start + _FRAMES_AT_ONCE]
        ]
        structures = Part.of(plan, bare).structures
        blocks = [
            kernel_rows(DescriptorOf(t.descriptor), [t.kernel], t.points, structures, request, "the pool")[0]
            for t in terms
        ]
        rows = np.hstack(blocks)
        ends = len(bare) + np.cumsum([3 * f.n_atoms for f in bare])[:-1]
        for frame, energy, forces in zip(
            bare, rows, np.split(rows[len(bare) :], ends - len(bare)), strict=False
        ):
            yield np.vstack([energy / frame.n_atoms, forces])


def _columns(
    plan: Plan,
    request: FitRequest,
    parts: Sequence[Part],
    kept: KeptColumns,
    number: int,
    command: DescriptorCommand,
    term: Term | None,
) -> list[Columns]:
    """Rows of one descriptor for each part."""
    text = _descriptor_of(command, term)
    zeta = setting(command.settings, "zeta") or 0.0
    tuned = any(name.startswith("descriptors.") and name.endswith(".zeta") for name in request.tuned)
    wanted = Wanted(command.title, text, zeta, _number(command, term), tuned)
    training = parts[0]
    choice: list[object]
    if term is not None:
        theta = np.zeros(0) if term.kernel.theta is None else term.kernel.theta
        choice = [_digest(term.points), theta.tolist()]
        first = partial(_at, wanted, request, kept, training, term.points, theta)
    else:
        groups = [plan.names[frame.group] for frame in training.frames]
        # of some methods fewer points are the first ones of more
        nested = isinstance(command.n_sparse, int) and command.sparse_method in NESTED
        choice = [command.sparse_method, None if nested else command.n_sparse, request.seed + number, groups]
        first = partial(_chosen, wanted, request, kept, training, command, groups, request.seed + number)
    found = [kept.get(columns_key(training.key, text, choice), wanted.served_by, first)]
    for part in parts[1:]:
        points, theta = found[0].points, found[0].theta
        held = replace(wanted, n=len(points))
        key = columns_key(part.key, text, [_digest(points), theta.tolist()])
        found.append(kept.get(key, held.served_by, partial(_at, held, request, kept, part, points, theta)))
    return found


def _chosen(
    wanted: Wanted,
    request: FitRequest,
    kept: KeptColumns,
    part: Part,
    command: DescriptorCommand,
    groups: Sequence[str],
    seed: int,
    before: Columns | None,
) -> Columns:
    """Choose the sparse points among the environments of all structures, and make the rows."""
    if before is not None and before.asked >= wanted.n:
        return _at(wanted, request, kept, part, before.points, before.theta, before)
    descriptor = DescriptorOf(wanted.text)
    values, cutoff, counts = all_values(descriptor, part.structures, request, wanted.title)
    at_once = command.n_sparse_at_once
    if len(values) == 0 or (at_once > len(values) and command.sparse_method != "none"):
        raise InfeasibleError(
            f"{wanted.title}: {at_once} sparse points wanted, the data has {len(values)} environments",
            remedy="lower n_sparse, or raise the cutoff if the species are never that close",
        )
    names = sorted(set(groups))
    of_group = np.repeat([names.index(group) for group in groups], counts)
    n = command.n_sparse
    numbers = n if isinstance(n, int) else {names.index(g): count for g, count in n.items() if g in names}
    taken = choose(command.sparse_method, values, of_group, numbers, seed)
    if not len(taken):
        raise InfeasibleError(
            f"{wanted.title}: the groups that n_sparse gives sparse points have no such environment",
            remedy="give n_sparse to a group that has some, or restrict the descriptor by species",
        )
    theta = _length_scales(command.settings, values, descriptor.permutations)
    return _at(wanted, request, kept, part, SparsePoints(values[taken], cutoff[taken]), theta, None)


def _at(
    wanted: Wanted,
    request: FitRequest,
    kept: KeptColumns,
    part: Part,
    points: SparsePoints,
    theta: FloatArray,
    before: Columns | None,
) -> Columns:
    """Make the rows at given sparse points; where further powers of the dot product will come, for all that are usual.

    One more power costs a tenth of the descriptors.
    """
    powers = [wanted.zeta]
    needed = 8.0 * part.n_rows * len(points)
    check_memory(needed, request.limits, f"the kernel of {wanted.title}")
    if wanted.zeta and (before is not None or wanted.zeta_tuned):
        several = sorted({*(before.rows if before else ()), wanted.zeta, *USUAL_ZETA})
        room = max(kept.cache.largest, _ROOM)
        bound = memory_bound(request.limits)
        room = room if bound is None else min(room, bound / 4)
        powers = several if needed * len(several) <= room else powers
    descriptor = DescriptorOf(wanted.text)
    kernels = [descriptor.kernel(1.0, zeta or None, theta) for zeta in powers]
    rows = kernel_rows(descriptor, kernels, points, part.structures, request, wanted.title)
    return Columns(wanted.n, points, theta, dict(zip(powers, rows, strict=True)))


def _foretell(plan: Plan, request: FitRequest, parts: Sequence[Part]) -> None:
    """Tell what the kernels will need before any is computed, if none is kept."""
    structures = [structure for part in parts for structure in part.structures]
    wanted = [
        (DescriptorOf(quippy_text(c.settings)), setting(c.settings, "zeta") or 0.0, c.n_sparse_total)
        for c in plan.descriptors
    ]
    atoms = sum(len(structure.atoms) for structure in structures)
    needs = forecast(wanted, structures, request)
    say(
        request,
        f"kernel of {len(structures)} structures, {atoms} atoms: {needs}, less where some of it is kept",
    )


def _descriptor_of(command: DescriptorCommand, term: Term | None) -> str:
    return quippy_text(command.settings) if term is None else term.descriptor


def _chosen_natively(plan: Plan) -> bool:
    """Whether no program is needed to choose the sparse points."""
    return not pool_groups(plan.options) and all(
        d.sparse_method in METHODS or d.sparse_method == "none" for d in plan.descriptors
    )


def _length_scales(settings: str, values: FloatArray, orders: IntArray | None) -> FloatArray:
    """Length scales, shape (d,); coordinates that change places have the same."""
    uniform, factor = setting(settings, "theta_uniform"), setting(settings, "theta_fac")
    if uniform is not None:
        return np.full(values.shape[1], uniform)
    if factor is None:
        return np.zeros(0)
    high, low = values.max(axis=0), values.min(axis=0)
    if orders is not None:
        high, low = high[orders].max(axis=0), low[orders].min(axis=0)
    theta: FloatArray = factor * (high - low)
    theta[theta < _SMALLEST_THETA] = 1.0
    return theta


def _digest(points: SparsePoints) -> str:
    return digest_of(points.values, points.cutoff)


def _number(command: DescriptorCommand, term: Term | None) -> int:
    """How many sparse points are wanted at most."""
    if term is not None:
        return len(term.points)
    return sys.maxsize if command.sparse_method == "none" else command.n_sparse_total


def _chosen_by_gap_fit(plan: Plan, request: FitRequest, frames: Sequence[Frame], cache: BoundedCache) -> str:
    return cache.fetch(
        run_key(plan, frames, None, "sparse points"),
        partial(choose_sparse_points, plan, request, frames),
        lambda text: CacheEntry("GAP sparse points", {"text": np.frombuffer(text.encode(), dtype=np.uint8)}),
        lambda entry: entry.arrays["text"].tobytes().decode(),
    )


def _text_of(plan: Plan, terms: Sequence[Term]) -> str:
    """The potential without its coefficients."""
    core = None
    if plan.core_file is not None:
        core = (plan.options.core_ip_args, plan.core_file.read_text(encoding="utf-8"))
    return potential_text(terms, plan.e0, ["gap_fit", *plan.arguments(DATA)], core)
