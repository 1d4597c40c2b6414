"""Providers: what a plugin says about an object before anything heavy is imported."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel

from xpot_core.options.bounds import HYPERPARAMETERS
from xpot_core.options.declare import OptionsModel

Kind = Literal["fitter", "predictor", "loss", "optimizer", "executor", "validator", "importer"]

T = TypeVar("T")


class NoOptions(OptionsModel):
    """For providers without options."""


@dataclass(frozen=True)
class Provider:
    """What all providers declare; each kind has a class of its own.

    Attributes
    ----------
    name
        What users write in the study file.
    summary
        One line.
    load
        ``"package.module:Class"``; imported only when the object is needed.
    options
        Options model.
    programs
        Programs that must be on the PATH.
    packages
        Import names of packages that the object needs.
    citation
        What users of the object should cite.
    contract
        ``"package.module:CONTRACT"``: how the conformance kit tests the object.
    """

    name: str
    summary: str
    load: str
    options: type[BaseModel] = NoOptions
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    citation: str = ""
    contract: str | None = None

    kind: ClassVar[Kind]
    tool_names: ClassVar[tuple[str, ...]] = ("contract",)
    """Fields that name lazy functions, ``"package.module:function"``."""

    def missing(self) -> list[str]:
        """Programs not on the PATH and packages that are not installed; imports nothing."""
        programs = [f"program '{p}'" for p in self.programs if shutil.which(p) is None]
        packages = [f"package '{p}'" for p in self.packages if find_spec(p) is None]
        return programs + packages

    def factory(self) -> Any:
        """Import and return the class."""
        return import_object(self.load)

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the further functions that this provider has."""
        return tuple(name for name in self.tool_names if getattr(self, name))

    def tool(self, name: str) -> Any | None:
        """Import and return a further function, None if the provider has none of this name."""
        target = getattr(self, name)
        return import_object(target) if target else None


@dataclass(frozen=True)
class FitterProvider(Provider):
    """Declaration of a fitter.

    Attributes
    ----------
    produces
        Potential formats that it makes.
    frame_labels
        Which labels of single frames it fits by, of ``energy_sigma``, ``force_sigma``, ``virial_sigma``,
        ``force_mask`` and ``weight``. A study whose frames have others is refused: they must not vanish.
    export
        Function that takes an `ExportRequest`, adds files to its folder and returns file name -> what it is.
    propose
        Function that proposes ranges from the data, for ``xpot init --from-data``.
    """

    produces: tuple[str, ...] = ()
    frame_labels: tuple[str, ...] = ()
    export: str | None = None
    propose: str | None = None

    kind: ClassVar[Kind] = "fitter"
    tool_names: ClassVar[tuple[str, ...]] = ("contract", "export", "propose")


@dataclass(frozen=True)
class PredictorProvider(Provider):
    """Declaration of a predictor.

    Attributes
    ----------
    accepts
        Potential formats that it reads.
    calculator
        Function that makes an ASE calculator from a `FittedPotential`.
    script
        Function that gives the source of a Python file with a function ``calculator()``, for a potential in the
        same folder.
    """

    accepts: tuple[str, ...] = ()
    calculator: str | None = None
    script: str | None = None

    kind: ClassVar[Kind] = "predictor"
    tool_names: ClassVar[tuple[str, ...]] = ("contract", "calculator", "script")


@dataclass(frozen=True)
class LossProvider(Provider):
    """Declaration of a loss."""

    kind: ClassVar[Kind] = "loss"


@dataclass(frozen=True)
class OptimizerProvider(Provider):
    """Declaration of an optimizer.

    Attributes
    ----------
    objectives
        True if it takes several objectives.
    most_parameters
        How many hyperparameters it can move; beyond, a proposal would take minutes.
    """

    objectives: bool = False
    most_parameters: int = HYPERPARAMETERS

    kind: ClassVar[Kind] = "optimizer"


@dataclass(frozen=True)
class ExecutorProvider(Provider):
    """Declaration of an executor."""

    kind: ClassVar[Kind] = "executor"


@dataclass(frozen=True)
class ValidatorProvider(Provider):
    """Declaration of a validator.

    Attributes
    ----------
    accepts
        Potential formats that it reads; empty if it works with any calculator.
    effort
        Those with less effort run first, so that a cheap test spares an expensive one.
    reasons
        Code -> what it means: why a potential may fail the test. A `ValidationReport` that did not pass names one.
    panel
        Options with which it belongs to the tests of ``validate: default``, one mapping for each run of it: cheap,
        and of use to every study. Empty if it does not belong. Where its ``check`` refuses the data it is left out.
    constrains
        Whether ``xpot init`` proposes it as a constraint where data are few: for a test of the panel that takes
        seconds, and that sound potentials pass.
    cost
        Name of the value that says what use of the potential costs, by which one of several equal trials is chosen;
        empty if it tells none.
    """

    accepts: tuple[str, ...] = ()
    effort: int = 1
    reasons: Mapping[str, str] = field(default_factory=dict)
    panel: tuple[Mapping[str, Any], ...] = ()
    constrains: bool = False
    cost: str = ""

    kind: ClassVar[Kind] = "validator"


@dataclass(frozen=True)
class ImporterProvider(Provider):
    """Declaration of an importer: it turns the input of another program into a study file.

    Attributes
    ----------
    recognises
        Function that takes the source, a path or a text, and says whether it is of this program.
    """

    recognises: str | None = None

    kind: ClassVar[Kind] = "importer"
    tool_names: ClassVar[tuple[str, ...]] = ("contract", "recognises")


PROVIDERS: Mapping[Kind, type[Provider]] = {
    provider.kind: provider
    for provider in (
        FitterProvider,
        PredictorProvider,
        LossProvider,
        OptimizerProvider,
        ExecutorProvider,
        ValidatorProvider,
        ImporterProvider,
    )
}
KINDS: tuple[Kind, ...] = tuple(PROVIDERS)


def import_object(target: str) -> Any:
    """Import ``"package.module:attribute"``."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True)
class Component(Generic[T]):
    """A provider chosen by a study, its validated options and the object made of them."""

    kind: Kind
    provider: Provider
    options: BaseModel
    instance: T

    @property
    def name(self) -> str:
        """Name of the provider."""
        return self.provider.name
