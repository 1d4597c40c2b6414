"""Tests that start from one structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from xpot_core.api import Frame, TrainingData
from xpot_lammps.structures.options import StructureOptions

if TYPE_CHECKING:
    from ase import Atoms


class _WithStructure(Protocol):
    @property
    def structure(self) -> StructureOptions: ...


OptionsT = TypeVar("OptionsT", bound=_WithStructure)


class StructureTest(Generic[OptionsT]):
    """A test that starts from one structure, which is looked for before a search too.

    Parameters
    ----------
    options
        The validated options.
    """

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @property
    def relaxed(self) -> bool:
        """See `starting_structure`."""
        return True

    def check(self, data: TrainingData) -> None:
        """See `xpot_core.api.CheckedValidator`."""
        self.start(data.elements, data.frames)

    def start(self, elements: Sequence[str], frames: Sequence[Frame]) -> Atoms:
        """The structure for a potential of these elements; see `starting_structure`."""
        from xpot_lammps.structures.start import starting_structure

        return starting_structure(self.options.structure, elements, frames, relaxed=self.relaxed)
