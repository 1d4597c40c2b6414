"""The linear system of a GAP, structure by structure over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms
from scipy.linalg import block_diag

from xpot_core.api import FitRequest, FloatArray, Frame, InfeasibleError, Limits
from xpot_gap.by_gap_fit import choose_sparse_points
from xpot_gap.data_file import VACUUM, check_numbers, periodic_cell
from xpot_gap.native.choose import METHODS, choose
from xpot_gap.native.kernels import Kernel, SparsePoints, sparse_kernel
from xpot_gap.native.terms import DescriptorOf, Term, potential_text, quippy_text, read_terms, setting
from xpot_gap.native.work import KernelRows, Structure, Values
from xpot_gap.plan import Plan, available_bytes
from xpot_gap.rows import targets
from xpot_gap.stored import Stored

_ATOMS_OF_A_TASK = 200
_SMALLEST_THETA = 1e-8


def build(plan: Plan, request: FitRequest, frames: Sequence[Frame], parent: Stored | None) -> Stored:
    """Choose sparse points, or take those of the parent, and compute the kernel rows of all structures."""
    if parent is not None:
        terms = read_terms(parent.text)
    elif plan.options.sparse_selection == "native" and _chosen_natively(plan):
        terms = choose_terms(plan, request, frames)
    else:
        terms = read_terms(choose_sparse_points(plan, request, frames))
    kernel, target, sparse = linear_system(plan, request, frames, terms)
    return Stored(kernel, target, sparse, _text_of(plan, terms))


def _structures_of(plan: Plan, frames: Sequence[Frame]) -> list[Structure]:
    """Frames as the descriptors take them: directions that are not periodic have room enough."""
    found = []
    for frame in frames:
        check_numbers(frame)
        atoms = Atoms(
            frame.atoms.numbers,
            positions=frame.atoms.positions,
            cell=periodic_cell(frame, plan.cutoff + VACUUM),
            pbc=True,
        )
        counted = None
        if frame.forces is not None:
            mask = frame.force_mask
            counted = np.ones(len(atoms), dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
        found.append(
            Structure(atoms, frame.energy is not None, counted, frame.virial is not None, frame.source)
        )
    return found


def choose_terms(plan: Plan, request: FitRequest, frames: Sequence[Frame]) -> list[Term]:
    """Choose the sparse points among the environments of all structures."""
    structures = _structures_of(plan, frames)
    descriptors = [DescriptorOf(quippy_text(command.settings)) for command in plan.descriptors]
    values: list[list[FloatArray]] = [[] for _ in descriptors]
    cutoffs: list[list[FloatArray]] = [[] for _ in descriptors]
    for parts in over_processes(Values(descriptors), structures, request.threads):
        for i, (value, cutoff) in enumerate(parts):
            values[i].append(value)
            cutoffs[i].append(cutoff)
    index = {name: i for i, name in enumerate(plan.names.values())}
    group = np.array([index[plan.names[frame.group]] for frame in frames])
    terms = []
    for i, command in enumerate(plan.descriptors):
        own = np.concatenate(values[i])
        wanted = command.n_sparse_at_once
        if len(own) == 0 or (wanted > len(own) and command.sparse_method != "none"):
            raise InfeasibleError(
                f"{command.title}: {wanted} sparse points wanted, the data has {len(own)} environments",
                remedy="lower n_sparse, or raise the cutoff if the species are never that close",
            )
        of_group = np.repeat(group, [len(part) for part in values[i]])
        n = command.n_sparse
        numbers = n if isinstance(n, int) else {index[name]: count for name, count in n.items()}
        taken = choose(command.sparse_method, own, of_group, numbers, request.seed + i)
        if not len(taken):
            raise InfeasibleError(
                f"{command.title}: the groups that n_sparse gives sparse points have no such environment",
                remedy="give n_sparse to a group that has some, or restrict the descriptor by species",
            )
        points = SparsePoints(own[taken], np.concatenate(cutoffs[i])[taken])
        terms.append(Term(descriptors[i].text, _kernel(command.settings, own), points))
    return terms


def _chosen_natively(plan: Plan) -> bool:
    """Whether no program is needed to choose the sparse points."""
    return all(d.sparse_method in METHODS or d.sparse_method == "none" for d in plan.descriptors)


def linear_system(
    plan: Plan, request: FitRequest, frames: Sequence[Frame], terms: Sequence[Term]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Kernel rows, target values and the kernel between sparse points, as gap_fit orders them.

    Returns
    -------
    kernel
        Shape (n, m): energies of all structures, then counted forces and virial of each.
    target
        Shape (n,): what the rows are fitted to, in eV and eV/Å, without e0 and core potential.
    sparse
        Shape (m, m), with the jitter on its diagonal.
    """
    structures = _structures_of(plan, frames)
    n_energies = sum(s.energy for s in structures)
    sizes = [3 * int(s.forces.sum()) if s.forces is not None else 0 for s in structures]
    n = n_energies + sum(sizes) + 6 * sum(s.virial for s in structures)
    m = sum(len(term.points) for term in terms)
    _check_memory(8 * n * m, request.limits)
    kernel = np.empty((n, m))
    energy, rest = 0, n_energies
    for of_energy, of_rest in over_processes(KernelRows(terms), structures, request.threads):
        kernel[energy : (energy := energy + len(of_energy))] = of_energy
        kernel[rest : (rest := rest + len(of_rest))] = of_rest
    sparse: FloatArray = block_diag(*(sparse_kernel(t.kernel, t.points) for t in terms))
    sparse[np.diag_indices(m)] += plan.options.sparse_jitter
    return kernel, targets(_without_core(plan, frames, structures), plan.e0), sparse


def _text_of(plan: Plan, terms: Sequence[Term]) -> str:
    """The potential without its coefficients."""
    core = None
    if plan.core_file is not None:
        core = (plan.options.core_ip_args, plan.core_file.read_text(encoding="utf-8"))
    return potential_text(terms, plan.e0, ["gap_fit", *plan.arguments("train.xyz")], core)


def _kernel(settings: str, values: FloatArray) -> Kernel:
    delta = setting(settings, "delta")
    assert delta is not None
    zeta = setting(settings, "zeta")
    if zeta is not None:
        return Kernel(delta, zeta)
    uniform, factor = setting(settings, "theta_uniform"), setting(settings, "theta_fac")
    if uniform is not None:
        theta = np.full(values.shape[1], uniform)
    else:
        assert factor is not None
        theta = factor * np.ptp(values, axis=0)
        theta[theta < _SMALLEST_THETA] = 1.0
    return Kernel(delta, theta=theta)


def _check_memory(rows: int, limits: Limits) -> None:
    """Refuse what cannot be held: the rows, and once more while they are written to the cache.

    Raises
    ------
    InfeasibleError
        If the rows need more memory than the trial may use or the machine has free.
    """
    needed = 2 * rows
    limit = limits.memory_bytes if limits.memory_bytes is not None else available_bytes()
    if limit is not None and needed > limit:
        whose = "the trial may use" if limits.memory_bytes is not None else "the machine has free"
        raise InfeasibleError(
            f"the kernel would need {needed / 1e9:.2f} GB of memory, {whose} {limit / 1e9:.2f} GB",
            remedy="lower n_sparse, or raise the limit",
        )


def _without_core(plan: Plan, frames: Sequence[Frame], structures: Sequence[Structure]) -> Sequence[Frame]:
    """Frames whose reference values are those that the core potential leaves to the fit."""
    if plan.core_file is None:
        return frames
    from quippy.potential import Potential

    core = Potential(plan.options.core_ip_args, param_filename=str(plan.core_file))
    left = []
    for frame, structure in zip(frames, structures, strict=True):
        atoms = structure.atoms.copy()
        atoms.calc = core
        changed: dict[str, Any] = {}
        if frame.energy is not None:
            changed["energy"] = frame.energy - atoms.get_potential_energy()
        if frame.forces is not None:
            changed["forces"] = frame.forces - atoms.get_forces()
        if frame.virial is not None:
            changed["virial"] = frame.virial + atoms.get_volume() * atoms.get_stress(voigt=False)
        left.append(replace(frame, **changed))
    return left


def over_processes(
    work: Callable[[Sequence[Structure]], list[Any]], structures: Sequence[Structure], processes: int
) -> Iterator[Any]:
    """Results for all structures in their order."""
    for part in _tasks(structures):
        yield from work(part)


def _tasks(structures: Sequence[Structure]) -> list[Sequence[Structure]]:
    """Consecutive structures of about equal numbers of atoms."""
    tasks: list[Sequence[Structure]] = []
    first = atoms = 0
    for i, structure in enumerate(structures):
        atoms += len(structure.atoms)
        if atoms >= _ATOMS_OF_A_TASK or i + 1 == len(structures):
            tasks.append(structures[first : i + 1])
            first, atoms = i + 1, 0
    return tasks
