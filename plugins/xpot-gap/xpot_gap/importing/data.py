"""The data of a command: its groups, elements and what stands under which name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.io import read

from xpot_core.api import Findings, InputError

# Our names and gap_fit's; it takes the stress where a frame has no virial, in ASE's sign and order.
_KEYS = (("energy", "energy"), ("forces", "force"), ("virial", "virial"), ("stress", "stress"))
_NO_NAME = "config_type"
"""Where no frame has a name the study may have any key, but for one that frames have."""
_OF_SIGMAS = ("", "atom_", "component_")


@dataclass(frozen=True)
class Data:
    """The training file of a command.

    Attributes
    ----------
    file
        As the command names it.
    images
        Its structures; none if there is no such file here.
    keys
        Quantity -> name, as a study file has them.
    group_by
        Name of the config types.
    """

    file: str
    images: tuple[Atoms, ...]
    keys: dict[str, str | None]
    group_by: str

    @property
    def groups(self) -> list[str]:
        """Groups of the file, in order."""
        return sorted({self.group_of(atoms) for atoms in self.images})

    def group_of(self, atoms: Atoms) -> str:
        """The config type of a structure."""
        return str(atoms.info.get(self.group_by, "all"))

    @property
    def elements(self) -> list[str]:
        """Chemical symbols in the order in which gap_fit meets them."""
        return list(dict.fromkeys(s for atoms in self.images for s in atoms.get_chemical_symbols()))

    def has(self, quantity: str, group: str) -> bool:
        """Whether a structure of a group has energy, force or virial; yes where the file is not there."""
        names = {
            "energy": [self.keys.get("energy")],
            "force": [self.keys.get("forces")],
            "virial": [self.keys.get("virial"), self.keys.get("stress")],
        }[quantity]
        of_group = [atoms for atoms in self.images if self.group_of(atoms) == group]
        return not of_group or any(name in _names(atoms) for name in names if name for atoms in of_group)


def read_data(settings: Mapping[str, str], findings: Findings) -> Data:
    """Read the training file, if it is there, and name what it holds.

    Parameters
    ----------
    settings
        gap_fit's arguments by their first names.
    findings
        Gets notes on what is absent, and what of the data is not fitted.
    """
    prefix = settings.get("parameter_name_prefix", "")

    def named(name: str, default: str) -> str:
        return prefix + settings.get(f"{name}_parameter_name", default)

    keys: dict[str, str | None] = {ours: named(theirs, theirs) for ours, theirs in _KEYS}
    # Those of the core are gap_fit's defaults.
    sigma = named("sigma", "sigma")
    if sigma != "sigma":
        keys |= {f"{kind}_sigma": f"{kind}_{sigma}" for kind in ("energy", "force", "virial")}
    mask = named("force_mask", "force_mask")
    if mask != "force_mask":
        keys["force_mask"] = mask
    images = _images(settings["at_file"])
    if images:
        _drop_absent(keys, images, findings)
        present = {name for atoms in images for name in _names(atoms)}
        for kind, name in (("Hessians", "n_hessian"), ("local properties", "local_property")):
            start = "n_" if kind == "Hessians" else ""
            name = start + named(name.removeprefix("n_"), name.removeprefix("n_"))
            if name in present:
                findings.lose(f"the data has {kind} under the name {name}, which are not supported.")
    else:
        del keys["stress"]
    group_by = named("config_type", "config_type")
    if images and not any(group_by in atoms.info for atoms in images):
        group_by = _NO_NAME
    return Data(settings["at_file"], tuple(images), keys, group_by)


def _images(file: str) -> list[Atoms]:
    """Structures of a data file; none if there is no such file."""
    path = Path(file).expanduser()
    if not path.is_file():
        return []
    try:
        return list(read(path, ":"))
    except Exception as error:  # ASE raises whatever its many parsers raise
        raise InputError(
            f"ASE cannot read it: {error}", file=path, key="at_file", remedy="give an extended XYZ file"
        ) from error


def _names(atoms: Atoms) -> set[str]:
    return {*atoms.info, *atoms.arrays, *(atoms.calc.results if atoms.calc else {})}


def _drop_absent(keys: dict[str, str | None], images: Iterable[Atoms], findings: Findings) -> None:
    """Forces or virials that the data does not have are no fault for gap_fit, but for a study file."""
    present = {name for atoms in images for name in _names(atoms)}
    for quantity, name in list(keys.items()):
        kind, _, rest = str(name).partition("_")
        names = {name}
        if quantity.endswith("_sigma"):
            names |= {f"{kind}_{part}{rest}" for part in _OF_SIGMAS}
        if quantity == "energy" or names & present:
            continue
        if quantity == "stress":
            del keys[quantity]
            continue
        keys[quantity] = None
        if quantity in ("forces", "virial"):
            findings.note(f"No structure has {quantity} under the name {name}.")
