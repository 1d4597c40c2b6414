"""Physical tests of one potential, run in the order of their effort."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.options.check import validate_options
from xpot_core.options.declare import option_info, submodel
from xpot_core.plugins.interfaces import CheckedValidator, ValidatorProvider
from xpot_core.plugins.registry import Registry
from xpot_core.system.foreign_text import printable
from xpot_core.trial.panel import NOT_TESTED, expanded
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.structures import TrainingData
from xpot_core.types.validating import ValidationReport, ValidationRequest, ValidatorRow


def effort(registry: Registry, block: Mapping[str, Any]) -> int:
    """What validators are sorted by: a cheap one that fails spares an expensive one."""
    return registry.get(ValidatorProvider, next(iter(block))).effort


def check_validators(
    registry: Registry,
    blocks: Sequence[Mapping[str, Any]],
    key: str,
    format: str | None = None,
    *,
    data: TrainingData | None = None,
    base: Path | None = None,
) -> None:
    """Make each validator once, so that a wrong option is told before hours are spent.

    Parameters
    ----------
    blocks
        ``{name: options}`` of each, as in a study file.
    key
        Where they stand.
    format
        Of the potential that they are to test, where it is known already.
    data
        The training frames, for those that look for something in them.
    base
        See `run_validator`.

    Raises
    ------
    InputError
        With the key in the study file.
    """
    for i, block in enumerate(blocks):
        name, options = next(iter(block.items()))
        try:
            provider = registry.provider("validator", name)
        except InputError as error:
            raise error.at(key=key) from error
        try:
            validate_options(provider.options, options)
            if base is not None:
                options = with_paths(provider.options, options, base)
            validator = registry.create("validator", name, options).instance
            if data is not None and isinstance(validator, CheckedValidator):
                validator.check(data)
        except InputError as error:
            raise error.at(key=f"{key}.{i}.{name}") from error
        if format is not None:
            _check_format(registry, name, format)


def run_validators(
    registry: Registry,
    blocks: Sequence[Mapping[str, Any]],
    potential: FittedPotential,
    data: TrainingData,
    directory: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    base: Path | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> list[ValidatorRow]:
    """Run several validators, cheap ones first; one that itself breaks gives no verdict and costs no other.

    Parameters
    ----------
    blocks, potential, data, seed, threads, base
        See `run_validator`.
    directory
        Holds a folder for each of them.
    tell
        Is told the name of each as it begins.

    Returns
    -------
    list of ValidatorRow
        One for each validator, and for each test of the panel.
    """
    rows = []
    tests = list(expanded(registry, blocks, data, potential.format))
    for i, (block, refusal) in enumerate(sorted(tests, key=lambda test: effort(registry, test[0]))):
        name, options = next(iter(block.items()))
        if refusal:
            summary = printable(f"not tested: {refusal}", lines=True)
            rows.append(ValidatorRow(name, dict(options), summary=summary, reason=NOT_TESTED))
            continue
        tell(name)
        folder = directory / f"validator-{i}-{name}"
        try:
            report = run_validator(
                registry, block, potential, data, folder, seed=seed, threads=threads, base=base
            )
            rows.append(report_row(name, report, options))
        except Exception as error:
            rows.append(broken_row(name, error))
    return rows


def run_validator(
    registry: Registry,
    block: Mapping[str, Any],
    potential: FittedPotential,
    data: TrainingData,
    directory: Path,
    *,
    seed: int = 0,
    threads: int = 1,
    base: Path | None = None,
) -> ValidationReport:
    """Test a potential.

    Parameters
    ----------
    block
        ``{name: options}`` as in a study file.
    data
        The training frames.
    directory
        Folder of its own for the test; made if absent.
    base
        Folder that relative paths among the options start from; by default the working directory.

    Raises
    ------
    InputError
        If the validator does not read potentials of this format, or an option is wrong.
    """
    name, options = next(iter(block.items()))
    if base is not None:
        options = with_paths(registry.provider("validator", name).options, options, base)
    component = registry.create("validator", name, options)
    _check_format(registry, name, potential.format)
    directory.mkdir(parents=True, exist_ok=True)
    request = ValidationRequest(
        directory,
        data.frames,
        data.elements,
        seed,
        threads,
        _calculator(registry, potential.format),
        data.reference_energies,
    )
    report: ValidationReport = registry.hook.xpot_validate(
        validator=component, potential=potential, request=request
    )
    return report


def _check_format(registry: Registry, name: str, format: str) -> None:
    provider = registry.get(ValidatorProvider, name)
    if provider.accepts and format not in provider.accepts:
        raise InputError(
            f"validator '{provider.name}' does not read potentials of format '{format}'",
            remedy=f"it reads {', '.join(provider.accepts)}",
        )


def with_paths(model: type[BaseModel], options: Any, base: Path) -> Any:
    """Options as plain data, the relative paths among them made to start from a folder."""
    if not isinstance(options, Mapping):
        return options
    found = dict(options)
    for name, field in model.model_fields.items():
        inner = submodel(field.annotation)
        if inner is not None:
            if name in found:
                found[name] = with_paths(inner, found[name], base)
        elif option_info(field).path and isinstance(found.get(name), str):
            found[name] = str(base / os.path.expanduser(found[name]))
    return found


def _calculator(registry: Registry, format: str) -> str | None:
    """Where an ASE calculator for a format is made."""
    try:
        return registry.predictor_for(format).calculator
    except InputError:
        return None


def report_row(name: str, report: ValidationReport, options: Mapping[str, Any] | None = None) -> ValidatorRow:
    """A report of a validator as a study keeps it, with the options that the test was given."""
    return ValidatorRow(
        validator=name,
        options=None if options is None else dict(options),
        passed=bool(report.passed),
        summary=printable(report.summary, lines=True),
        values={printable(k): _number(v) for k, v in report.values.items()},
        tables={
            printable(table): {printable(c): [_number(v) for v in values] for c, values in columns.items()}
            for table, columns in report.tables.items()
        },
        reason=printable(report.reason),
        units={printable(k): printable(unit) for k, unit in report.units.items() if k in report.values},
    )


def broken_row(name: str, error: Exception) -> ValidatorRow:
    """The row of a validator that itself failed: no verdict on the potential."""
    text = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    return ValidatorRow(name, summary=printable(text, lines=True), tables={})


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
