"""A fitter made of a basis: prepare, cache, memory, fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar, TypeVar

from xpot_core.api import FitRequest, FittedPotential, InfeasibleError, cache_limit
from xpot_linear.author import Author
from xpot_linear.basis import Basis
from xpot_linear.blocks.block_set import BlockSet
from xpot_linear.blocks.build import build_blocks, bytes_needed
from xpot_linear.blocks.cache import block_cache, from_entry, key_of, to_entry
from xpot_linear.blocks.force_rows import ForceRows
from xpot_linear.blocks.problem import Problem
from xpot_linear.blocks.row_file import row_file
from xpot_linear.design import LinearDesign
from xpot_linear.options import LinearOptions
from xpot_linear.targets import energy_shifts

B = TypeVar("B", bound=Basis)
L = TypeVar("L", bound=LinearOptions)
GB = 1e9


class LinearFitter(Author[B, L]):
    """Staged fitter of a linear model: subclass it with `basis` and `write`, and register the subclass.

    Attributes
    ----------
    name
        Of the fitter: the folder of its cache and the name of the variable that bounds it.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        # a wrong bound is told before the first trial, not by each of them
        cache_limit(self.name)

    def prepare(self, request: FitRequest) -> LinearDesign:
        """Compute the rows of all frames and reduce them to blocks."""
        start = time.perf_counter()
        options, data = self._options(request), request.data
        shifts = energy_shifts(options, data)
        problem = Problem.of(
            self.basis(options, data),
            data,
            shifts=shifts,
            constants=data.elements if options.constant else (),
            temperature=options.boltzmann_temperature,
        )
        matrix_memory = options.max_matrix_memory * GB
        if request.limits.memory_bytes is not None:
            matrix_memory = min(matrix_memory, request.limits.memory_bytes / 4)
            _check_memory(request.limits.memory_bytes, problem)
        workers = max(request.threads, 1)
        file = None
        if request.final:  # blocks from the cache have no matrix, however small
            largest = options.max_matrix_disk * GB
            file = row_file(request.directory, int(problem.n_force_rows.sum()), problem.width, largest)
        build = partial(
            build_blocks,
            problem,
            workers=workers,
            max_matrix_memory=matrix_memory,
            file=file,
            tell=request.progress,
        )
        blocks, notes = self._blocks(options, problem, build)
        return LinearDesign(
            problem,
            blocks,
            self,
            data.elements,
            data.groups,
            shifts,
            {"descriptors": time.perf_counter() - start},
            ForceRows(problem, workers, file, request.progress),
            notes,
        )

    def fit(self, request: FitRequest) -> FittedPotential:
        """Prepare and solve at once."""
        design = self.prepare(request)
        fitted = design.fit(request.options, directory=request.directory, final=request.final)
        return replace(fitted, seconds={**fitted.seconds, **design.seconds})

    def _blocks(
        self, options: LinearOptions, problem: Problem, build: Callable[[], BlockSet]
    ) -> tuple[BlockSet, tuple[str, ...]]:
        fingerprint = problem.basis.fingerprint()
        if not options.cache or fingerprint is None:
            return build(), ()
        kept = block_cache(self.name)
        pack = partial(to_entry, problem=problem)
        return kept.fetch(key_of(problem, fingerprint), build, pack, from_entry), kept.notes

    @staticmethod
    def _options(request: FitRequest) -> L:
        if not isinstance(request.options, LinearOptions):
            raise TypeError(f"expected LinearOptions, got {type(request.options).__name__}")
        return request.options  # type: ignore[return-value]


def _check_memory(limit: int, problem: Problem) -> None:
    """Refuse a candidate whose blocks alone do not fit."""
    need = bytes_needed(problem)
    if need > limit:
        raise InfeasibleError(
            f"{problem.width - 1} coefficients need at least {need / GB:.1f} GB for the blocks of "
            f"{len(problem.groups)} groups in {len(set(problem.fold.tolist()))} folds; "
            f"the limit is {limit / GB:.1f} GB",
            remedy="make the basis smaller, use fewer folds or groups, or raise the limit",
        )
