"""The fitter ``snap``."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from xpot_snap_model.columns import ColumnLayout
from xpot_snap_model.settings import DescriptorSettings
from xpot_snap_model.translate import descriptor_settings

from xpot_core.api import FitRequest, FittedPotential, InfeasibleError
from xpot_snap.design import SnapDesign
from xpot_snap.fitsnap.engine import FitsnapDesign
from xpot_snap.options import SnapOptions
from xpot_snap.regression import cache
from xpot_snap.regression.blocks import packed_size
from xpot_snap.regression.build import Problem
from xpot_snap.translate import boltzmann_weights, energy_shifts, structures_of

GB = 1e9


class SnapFitter:
    """Fits SNAP potentials; staged."""

    def __init__(self) -> None:
        # a wrong bound is told before the first trial, not by each of them
        cache.limit_bytes()

    def prepare(self, request: FitRequest) -> SnapDesign | FitsnapDesign:
        """Compute the descriptors of all frames and reduce them to blocks."""
        start = time.perf_counter()
        options = _options(request)
        data = request.data
        if options.engine == "fitsnap":
            return FitsnapDesign(data, request.directory)
        settings = descriptor_settings(options, data.elements, constant=options.constant)
        shifts = energy_shifts(options, data)
        structures = structures_of(data, shifts)
        names = [frame.group for frame in data.frames]
        weights = boltzmann_weights(options.boltzmann_temperature, structures, names, data.folds)
        problem = Problem.of(settings, structures, data.folds, names, weights)
        matrix_memory = options.max_matrix_memory * GB
        if request.limits.memory_bytes is not None:
            matrix_memory = min(matrix_memory, request.limits.memory_bytes / 4)
            _check_memory(request, settings)
        workers = max(request.threads, 1)
        build = partial(problem.blocks, workers=workers, max_matrix_memory=matrix_memory)
        notes: tuple[str, ...] = ()
        if options.cache:
            kept = cache.snap_cache()
            pack = partial(cache.to_entry, problem=problem)
            blocks = kept.fetch(cache.key_of(problem), build, pack, cache.from_entry)
            notes = kept.notes
        else:
            blocks = build()
        seconds = {"descriptors": time.perf_counter() - start}
        return SnapDesign(problem, blocks, shifts, data.groups, seconds, workers, notes)

    def fit(self, request: FitRequest) -> FittedPotential:
        """Prepare and solve at once."""
        design = self.prepare(request)
        fitted = design.fit(request.options, directory=request.directory, final=request.final)
        return replace(fitted, seconds={**fitted.seconds, **design.seconds})


def _options(request: FitRequest) -> SnapOptions:
    if not isinstance(request.options, SnapOptions):
        raise TypeError(f"expected SnapOptions, got {type(request.options).__name__}")
    return request.options


def _check_memory(request: FitRequest, settings: DescriptorSettings) -> None:
    """Refuse a candidate whose blocks alone do not fit."""
    limit = request.limits.memory_bytes
    width = ColumnLayout.of(settings).size + 1
    data = request.data
    pairs = {(fold, frame.group) for fold, frame in zip(data.folds, data.frames, strict=True)}
    small = 7 * len(data.frames) * width
    # three kinds of rows a block, and two full matrices to accumulate and to factorise
    need = 8 * (3 * len(pairs) * packed_size(width) + small + 3 * width * width)
    if limit is not None and need > limit:
        raise InfeasibleError(
            f"{width - 1} coefficients need at least {need / GB:.1f} GB for the blocks of {len(pairs)} "
            f"folds and groups; the limit is {limit / GB:.1f} GB",
            remedy="lower twojmax, use fewer folds or groups, or raise the limit",
        )
