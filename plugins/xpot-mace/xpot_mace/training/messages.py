"""What the fitter and the process that trains tell each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from xpot_core.api import FloatArray


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes
    ----------
    folder
        Where its configuration and its structures are.
    log
        File that its output is appended to.
    model
        File that the trained model is written to.
    epochs
        How many, counted from the very start.
    seed
        Of the order of structures.
    device
        ``cpu``, ``cuda`` or ``auto``.
    threads
        Of the CPU.
    start_swa
        Epoch where stage two begins; None for no such stage.
    best_epoch
        Whether the model is that of the epoch with the lowest loss.
    resume_from
        Folder of a checkpoint.
    """

    folder: Path
    log: Path
    model: Path
    epochs: int
    seed: int
    device: str
    threads: int
    start_swa: int | None
    best_epoch: bool
    resume_from: Path | None


@dataclass(frozen=True)
class Epoch:
    """An epoch is done; the process waits for what to do.

    Attributes
    ----------
    step
        Its number, from one.
    loss
        The loss of mace on the validation structures.
    energies, forces, virials
        Of the validation structures in their order: eV, eV/Å, eV.
    """

    step: int
    loss: float
    energies: FloatArray
    forces: list[FloatArray]
    virials: FloatArray


@dataclass(frozen=True)
class Keep:
    """Write a checkpoint into a folder."""

    folder: str


@dataclass(frozen=True)
class Kept:
    """It is written."""


@dataclass(frozen=True)
class Go:
    """Go on."""


@dataclass(frozen=True)
class Stop:
    """End this training."""


@dataclass(frozen=True)
class Stopped:
    """It is ended."""


@dataclass(frozen=True)
class Failed:
    """It failed."""

    kind: Literal["memory", "gpu", "nan", "input", "other"]
    text: str


@dataclass(frozen=True)
class Done:
    """The model is written.

    Attributes
    ----------
    facts
        What to know about it: versions, device, number of parameters, the epoch that it is of.
    """

    facts: dict[str, Any] = field(default_factory=dict)
