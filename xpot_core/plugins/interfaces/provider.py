"""Providers: what a plugin says about an object before anything heavy is imported."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from xpot_core.options.bounds import HYPERPARAMETERS
from xpot_core.options.declare import OptionsModel

Kind = Literal["fitter", "predictor", "loss", "optimizer", "executor", "validator"]
KINDS: tuple[Kind, ...] = ("fitter", "predictor", "loss", "optimizer", "executor", "validator")

T = TypeVar("T")


class NoOptions(OptionsModel):
    """For providers without options."""


@dataclass(frozen=True)
class Provider:
    """The declaration of one fitter, predictor, loss, optimizer, executor or validator.

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
    produces, accepts
        Potential formats: what a fitter makes, what a predictor or validator reads.
    citation
        What users of the object should cite.
    objectives
        True for an optimizer that takes several objectives.
    most_parameters
        Of an optimizer: how many hyperparameters it can move; beyond, a proposal would take minutes.
    effort
        Of a validator: those with less effort run first, so that a cheap test spares a dear one.
    frame_labels
        Of a fitter: which labels of single frames it fits by, of ``energy_sigma``, ``force_sigma``, ``virial_sigma``,
        ``force_mask`` and ``weight``. A study whose frames have others is refused: they must not vanish.
    """

    name: str
    summary: str
    load: str
    options: type[BaseModel] = NoOptions
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    produces: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    citation: str = ""
    objectives: bool = False
    effort: int = 1
    most_parameters: int = HYPERPARAMETERS
    frame_labels: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    """Further lazy functions by purpose, e.g. ``{"export": "xpot_snap.export:export"}``; a predictor's
    ``"calculator"`` makes an ASE calculator from a `FittedPotential`, its ``"script"`` the source of a Python file
    with a function ``calculator()`` for a potential in the same folder."""

    def missing(self) -> list[str]:
        """Programs not on the PATH and packages that are not installed; imports nothing."""
        programs = [f"program '{p}'" for p in self.programs if shutil.which(p) is None]
        packages = [f"package '{p}'" for p in self.packages if find_spec(p) is None]
        return programs + packages

    def factory(self) -> Any:
        """Import and return the class."""
        return import_object(self.load)

    def tool(self, purpose: str) -> Any | None:
        """Import and return a further function, None if the provider has none for the purpose."""
        target = self.tools.get(purpose)
        return import_object(target) if target else None


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
