"""Where the structure of a test comes from, as options."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from xpot_core.api import OptionsModel, option

Crystal = Literal[
    "sc", "fcc", "bcc", "hcp", "diamond", "zincblende", "rocksalt", "cesiumchloride", "fluorite", "wurtzite"
]


class StructureOptions(OptionsModel):
    """Where the structure of a test comes from; at most one way."""

    frame: int | None = option(None, "Index of a training frame, from 0.")
    group: str | None = option(
        None, "Group of training frames; its frame with the lowest energy per atom is taken."
    )
    file: str | None = option(None, "Structure file that ASE reads (the last structure in it).", path=True)
    crystal: Crystal | None = option(
        None, "Crystal structure made by ase.build.bulk, of `species`, with lattice constant `a`."
    )
    species: str | None = option(None, "Chemical formula for `crystal`, e.g. Si or InP.")
    a: float | None = option(None, "Lattice constant for `crystal`; ASE's own if not given.", unit="Å", gt=0)
    c: float | None = option(None, "Second lattice constant of a hexagonal `crystal`.", unit="Å", gt=0)
    cubic: bool = option(True, "Whether `crystal` is made as the conventional cubic cell where there is one.")

    primitive: bool = option(False, "Whether the structure is reduced to one primitive cell of its crystal.")
    crystal_only: bool = option(
        False,
        "Whether the test is not done for clusters and liquids: the structure must be periodic, and be at rest or "
        "repeat a smaller cell.",
    )
    most_atoms: int | None = option(
        None, "Atoms beyond which the test is not done, because it would take long.", ge=1
    )

    @model_validator(mode="after")
    def _one_way(self) -> StructureOptions:
        given = [n for n in ("frame", "group", "file", "crystal") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of frame, group, file, crystal, not {' and '.join(given)}")
        if self.crystal is not None and self.species is None:
            raise ValueError("crystal needs species, e.g. {crystal: diamond, species: Si, a: 5.43}")
        return self
