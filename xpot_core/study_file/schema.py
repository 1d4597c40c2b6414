"""What a study file may say: one declaration for validation, messages, schema and reference."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat

from xpot_core.options import bounds
from xpot_core.options.declare import OptionsModel, option
from xpot_core.study_file.missing import Missing

DEFAULT_LOSS = "energy-force"
_LEAST_BYTES = 1_000_000
"""No fit runs in less; a smaller number is one whose unit was forgotten."""


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _duration(value: Any) -> Any:
    """Seconds from ``90``, ``30s``, ``15min``, ``2h``, ``1d`` or ``1h 30min``."""
    if not isinstance(value, str):
        return value
    units = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", value.strip().lower())
    rebuilt = "".join(n + u for n, u in parts)
    if (
        not parts
        or rebuilt != re.sub(r"\s", "", value.lower())
        or any(u and u not in units for _, u in parts)
    ):
        raise ValueError("must be a time such as 90s, 15min, 2h")
    return sum(float(n) * units[u or "s"] for n, u in parts)


def _memory(value: Any) -> Any:
    """Bytes from a number or ``500MB``, ``4GB``, ``4GiB``."""
    if not isinstance(value, str):
        if isinstance(value, int | float) and 0 < value < _LEAST_BYTES:
            raise ValueError(f"is {value:g} bytes; give the unit, such as 4GB")
        return value
    match = re.fullmatch(r"([0-9.]+)\s*([KMGT]?)(i?)B?", value.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("must be an amount of memory such as 500MB or 4GB")
    power = " KMGT".index(match[2].upper()) if match[2] else 0
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def provider_block(value: Any) -> Any:
    """``name`` or ``{name: options}`` -> ``{name: options}`` with exactly one name."""
    if isinstance(value, str):
        return {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        found = f"; it has {', '.join(map(str, value))}" if isinstance(value, dict) and value else ""
        raise ValueError(f"must be one name, or {{name: {{options}}}}{found}")
    name, options = next(iter(value.items()))
    return {str(name): {} if options is None else options}


def _provider_blocks(value: Any) -> Any:
    return [provider_block(v) for v in (value if isinstance(value, list) else [value])]


# The JSON schema must admit what people write, not only what it becomes.
OneOrMany = BeforeValidator(_one_or_many, json_schema_input_type=str | list[str] | None)
Paths = Annotated[list[str], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])]
Duration = Annotated[float, BeforeValidator(_duration, json_schema_input_type=str | float), Field(gt=0)]
Memory = Annotated[int, BeforeValidator(_memory, json_schema_input_type=str | int), Field(gt=0)]
ProviderBlock = Annotated[dict[str, Any], BeforeValidator(provider_block)]
ProviderBlocks = Annotated[list[dict[str, Any]], BeforeValidator(_provider_blocks)]


class Keys(OptionsModel):
    """Names under which the files hold the reference values."""

    energy: str | None = option(
        "REF_energy",
        "Key of the total energy in the info of each frame; null for data without energies.",
        unit="eV",
    )
    forces: str | None = option(
        "REF_forces",
        "Key of the forces in the arrays of each frame; null for data without forces.",
        unit="eV/Å",
    )
    virial: str | None = option(
        "REF_virial", "Key of the virial: nine numbers, positive under compression.", unit="eV"
    )
    stress: str | None = option(
        None, "Key of the stress in ASE's sign and units, used where a frame has no virial.", unit="eV/Å^3"
    )
    energy_sigma: str | None = option(
        "energy_sigma", "Key of the expected error of the energy of a cell; null to ignore it.", unit="eV"
    )
    force_sigma: str | None = option(
        "force_sigma",
        "Key of the expected error of the forces of a frame; the columns force_atom_sigma and force_component_sigma "
        "give it by atom and by component, as for gap_fit. Null to ignore them.",
        unit="eV/Å",
    )
    virial_sigma: str | None = option(
        "virial_sigma",
        "Key of the expected error of the virial of a cell: one number, or one for each component. Null to ignore it.",
        unit="eV",
    )
    force_mask: str | None = option(
        "force_mask",
        "Key of the column that is true for atoms whose forces are left out, as for gap_fit. Null to ignore it.",
    )
    weight: str | None = option(
        None, "Key of a factor on the weight of a frame in the fit, e.g. config_weight."
    )


class Validation(OptionsModel):
    """How the validation set is made; exactly one of `kfold`, `fraction` and `file`."""

    kfold: int | None = option(None, "Number of folds of a cross-validation.", ge=2)
    fraction: float | None = option(None, "Part of the training frames that is held out.", gt=0, lt=1)
    file: Annotated[list[str] | None, OneOrMany] = option(
        None, "File or files with an external validation set.", min_length=1
    )
    repeats: int = option(
        1,
        "How many assignments of frames to folds the best trials are judged by when the search ends; the mean of their "
        "losses chooses the winner.",
        ge=1,
        le=bounds.REPEATS,
    )
    seed: int = option(1, "Seed of the random split.", ge=0)
    stratify: bool = option(True, "Spread every group evenly over the folds.")
    keep_together: str | None = option(
        None, "Frames with the same value of this info key stay in one fold (e.g. one trajectory)."
    )
    copies: Literal["apart", "together"] = option(
        "apart",
        "together: structures that symmetry makes copies of each other (same composition, volume, energy and size of "
        "the forces) stay in one fold, as identical ones always do; else a fold is judged by structures it was trained "
        "on.",
    )


def _validation(value: Any) -> Any:
    return {"file": value} if isinstance(value, str | list) else value


class DataConfig(OptionsModel):
    """The data of a study."""

    train: Paths = option(description="Training file or files: anything that ase.io.read reads.")
    validation: Annotated[
        Validation, BeforeValidator(_validation, json_schema_input_type=str | list[str] | Validation)
    ] = option(
        lambda: Validation(kfold=5),
        "Validation set: {kfold: 5}, {fraction: 0.1} or a file; with seed, stratify, keep_together.",
    )
    test: Annotated[list[str] | None, OneOrMany] = option(
        None, "Test file or files: never seen by the search, evaluated once at the end."
    )
    keys: Keys = option(Keys, "Names under which the files hold the reference values.")
    group_by: str = option("config_type", "Info key that names the group of a frame.")
    isolated_atoms: str | None = option(
        "isolated_atom",
        "Group that may hold isolated atoms only, or null: a check, no more. Isolated atoms are known by their "
        "structure, whatever their group: one atom, and no periodic image within 8 Å.",
    )
    reference_energies: dict[str, FiniteFloat] = option(
        dict, "Energy of the isolated atom by element; overrides isolated atoms in the data.", unit="eV"
    )
    missing: Missing = option(
        Missing, "Values that stand for what was not computed: {forces: zero}, {virial: [group]}."
    )
    duplicates: Literal["error", "warn"] = option(
        "warn", "What happens when identical structures stand in the training set or in two sets."
    )


class Budget(OptionsModel):
    """When the search ends."""

    trials: int = option(50, "Number of finished trials, failed ones included.", ge=1, le=bounds.TRIALS)
    time: Duration | None = option(None, "Wall time of one `xpot run`, e.g. 2h.", unit="s")
    failures: int = option(10, "Stop after this many failures in a row with the same message.", ge=1)
    patience: int | None = option(
        None,
        "Stop when this many trials in a row brought no smaller loss (no new point of the Pareto set).",
        ge=1,
    )
    target: float | None = option(None, "Stop when the loss is as small as this.")


class FidelityConfig(OptionsModel):
    """Successive halving: cheap trials first, the best of them again at more cost."""

    option_path: str = option(
        alias="option",
        description="What is raised from rung to rung: an option of the fitter that is marked as converging "
        "(twojmax, descriptors.1.soap.n_sparse), given a fixed value there, or data for the fraction of the frames.",
    )
    rungs: list[float] = option(
        description="Ascending values of the lower rungs; the last rung is the study itself (all data)."
    )
    keep: float = option(1 / 3, "Part of the trials of a rung that goes on to the next.", gt=0, lt=1)
    brackets: Literal["one", "hyperband"] = option(
        "one",
        "Where new points begin: all at the first rung, or some at higher ones in Hyperband's proportions, for where "
        "the first rung tells little.",
    )


class StopEarlyConfig(OptionsModel):
    """Stop a trial whose learning curve lies above the median of those so far; for fits that report their steps."""

    warmup: int = option(0, "No trial is stopped in its first so many steps.", ge=0)
    trials: int = option(5, "Completed trials that a median needs.", ge=2)


class NestedConfig(OptionsModel):
    """The inner search over regression options, one for each point of the outer search."""

    method: Literal["auto", "gradient", "derivative-free"] = option(
        "auto",
        "Inner optimizer: L-BFGS-B on exact gradients, COBYQA, or the first where the fitter offers it.",
    )
    iterations: int = option(30, "Most iterations of one inner search.", ge=1)
    prior: float = option(
        0.01,
        "Strength of the pull towards the defaults: the relative rise of the loss at one tenth of the range from "
        "the default, per hyperparameter.",
        ge=0,
    )
    hold_out: bool = option(
        True,
        "Keep the last fold from the gradient, and take the point on the way with the lowest loss over all folds.",
    )
    patience: int = option(
        3, "Iterations in which that loss does not fall, after some progress, before it stops.", ge=1
    )
    starts: int | None = option(
        None,
        "Points from which it begins, the defaults among them; by default 3 where the validation set is a file, "
        "which has local minima, else 1.",
        ge=1,
    )


def _search(value: Any) -> Any:
    return {"nested": {}} if value == "nested" else {} if value == "flat" else value


class SearchConfig(OptionsModel):
    """How the space is searched."""

    nested: NestedConfig | None = option(
        None, "Search regression options by an inner optimizer on the staged design."
    )


class LimitsConfig(OptionsModel):
    """What one trial may use."""

    time: Duration | None = option(None, "Longest time of one trial, e.g. 10min.", unit="s")
    memory: Memory | None = option(
        None,
        "Most memory of one trial, e.g. 4GB; by default 80 % of this machine's, shared by the trials that run at once "
        "on it. What a trial keeps and computes keeps to it.",
        unit="bytes",
    )


class ReferenceValue(OptionsModel):
    """Errors that somebody reports, to be shown beside those of the study."""

    label: str = option(description="Whose they are, e.g. 'SNAP, Zuo 2020'.")
    energy: float | None = option(None, "RMSE of energies.", unit="meV/atom", ge=0)
    force: float | None = option(None, "RMSE of force components.", unit="eV/Å", ge=0)
    set: Literal["train", "validation", "test"] = option("test", "Set of this study that they stand beside.")
    file: str | None = option(
        None,
        "File with errors by group that another program wrote and a plugin reads: the errors of this study are counted "
        "in the same way and shown beside, for each set that it tells of.",
    )


class StudyConfig(OptionsModel):
    """A study file."""

    study: str = option(description="Name of the study: the folder of its results.")
    data: DataConfig = option(description="Training, validation and test data.")
    fitter: ProviderBlock = option(description="Fitting framework and its options.")
    predictor: ProviderBlock | None = option(
        None, "What evaluates the potential; by default the first that reads the fitter's format."
    )
    loss: ProviderBlock = option(lambda: {DEFAULT_LOSS: {}}, "What is minimised.")
    optimizer: ProviderBlock = option(lambda: {"sobol": {}}, "What proposes the next trial.")
    start_with: list[Literal["defaults"] | dict[str, Any]] = option(
        lambda: ["defaults"],
        "Points that are tried first: defaults (the fitter's own), or {name: value} with the other "
        "hyperparameters at their defaults. An empty list leaves the start to the optimizer.",
    )
    search: Annotated[
        SearchConfig,
        BeforeValidator(_search, json_schema_input_type=Literal["flat", "nested"] | SearchConfig),
    ] = option(
        SearchConfig,
        "flat: one optimizer moves every hyperparameter; nested: it moves the descriptors, an inner search the rest.",
    )
    objectives: Annotated[list[str], OneOrMany] = option(
        lambda: ["loss"],
        "What is minimised: loss, or several of energy, force, virial, loss and VALIDATOR.VALUE.",
    )
    constraints: ProviderBlocks = option(
        list, "Physical tests that every trial must pass; one that does not is INFEASIBLE."
    )
    prior: Annotated[list[str], OneOrMany] = option(
        list,
        "Run folders of earlier studies whose trials the optimizer learns from, or CSV tables of trials.",
    )
    fidelity: FidelityConfig | None = option(
        None, "Successive halving: cheap trials first, the best of them again at more cost."
    )
    stop_early: StopEarlyConfig | None = option(
        None, "Stop a trial whose learning curve lies above the median of those so far."
    )
    budget: Budget = option(Budget, "When the search ends.")
    limits: LimitsConfig = option(LimitsConfig, "What one trial may use.")
    executor: ProviderBlock = option(lambda: {"serial": {}}, "Where trials run.")
    validate_with: ProviderBlocks = option(list, "Physical tests of the best potential.", alias="validate")
    validate_best: int = option(
        1,
        "How many of the best trials are tested. The best that passes every test wins, or a cheaper one that does "
        "where the errors of both differ by no more than chance.",
        ge=1,
    )
    plugins: Paths = option(list, "Python files with plugins of your own.")
    seed: int = option(0, "Seed of everything random in the study.", ge=0)
    reference: list[ReferenceValue] = option(
        list, "Errors from elsewhere, such as the literature, that tables and figures show beside ours."
    )
    matrix: dict[str, Annotated[list[Any], Field(min_length=1)]] = option(
        dict,
        "Keys of this file and the values each of them takes: `xpot run` makes a family of studies, one for "
        "each combination.",
    )

    def name_of(self, block: str) -> str:
        """Name of the provider in a block."""
        return str(next(iter(getattr(self, block))))
