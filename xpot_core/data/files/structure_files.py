"""Files of structures: read with ASE, reference values taken out, faults named."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.data.checks.cells import fault_of_cell, volume_of
from xpot_core.data.checks.unused_columns import Column, unused_columns
from xpot_core.data.files.kept_frames import FileContent, kept_content
from xpot_core.data.files.xyz_files import check_counts, values_as_text
from xpot_core.data.frame_labels import labels_of
from xpot_core.data.isolated_atoms import is_isolated
from xpot_core.errors import InputError, file_error, nearest
from xpot_core.study_file.schema import DataConfig
from xpot_core.system.foreign_text import printable
from xpot_core.system.progress import listener, told
from xpot_core.types.structures import FloatArray, Frame, bare_atoms

NO_GROUP = "all"
"""Group of frames that name none."""


def read_frames(
    path: Path,
    config: DataConfig,
    *,
    key: str = "data.train",
    labelled: bool = True,
    unused: set[Column] | None = None,
) -> list[Frame]:
    """Read one file with ASE and take out the reference values; a large file is parsed once, see `kept_frames`.

    With ``labelled=False`` a file without reference values is fine: structures to choose from. What looks like
    reference values and is not read is added to `unused`.

    Raises
    ------
    InputError
        If the file is missing, unreadable or empty, or a reference value is missing or no number.
    """
    settings = {
        "keys": config.keys.model_dump(),
        "off": sorted(config.keys.model_fields_set),
        "group_by": config.group_by,
        "keep_together": config.validation.keep_together,
        "needs": [key == "data.train", labelled],
    }
    content = kept_content(
        path, printable(path.name), settings, lambda: _read_content(path, config, key, labelled)
    )
    if unused is not None:
        unused |= content.columns
    return content.frames


def _read_content(path: Path, config: DataConfig, key: str, labelled: bool) -> FileContent:
    together = config.validation.keep_together
    images = read_images(path, key, text=(config.group_by, together or config.group_by))
    if (
        key == "data.train"
        and together is not None
        and not any(together in a.info or is_isolated(a) for a in images)
    ):
        raise InputError(
            f"no frame of {path.name} has info key '{together}'",
            key="data.validation.keep_together",
            value=together,
            remedy=nearest(together, {k for a in images for k in a.info}),
        )
    return FileContent(frames_of(images, path, config, labelled=labelled), unused_columns(images, config))


def frames_of(
    images: Sequence[Any],
    path: Path,
    config: DataConfig,
    *,
    labelled: bool = True,
) -> list[Frame]:
    """Take the reference values out of structures that `read_images` read from a file.

    Raises
    ------
    InputError
        If a reference value is missing or no number.
    """
    found = Counter[str]()
    frames = []
    what = f"labels of {printable(path.name)}: structure"
    for i, atoms in enumerate(told(images, listener(), what, len(images))):
        frames.append(_frame(atoms, config, f"{printable(path.name)}#{i}", path, found))
    for quantity in ("energy", "forces"):
        if labelled and found[quantity] == 0 and getattr(config.keys, quantity) is not None:
            if quantity == "forces" and all(is_isolated(f.atoms) for f in frames):
                continue  # nothing acts on them
            raise InputError(
                f"no frame has {quantity} under this name",
                file=path,
                key=f"data.keys.{quantity}",
                value=getattr(config.keys, quantity),
                remedy=_keys_present(images),
            )
    return frames


def read_images(path: Path, key: str, *, text: Collection[str] = ()) -> list[Any]:
    """The structures of one file as ASE reads them, without constraints.

    Parameters
    ----------
    path
        The file.
    key
        What named it.
    text
        Info keys whose values are words, even where they look like numbers.

    Raises
    ------
    InputError
        If the file is missing, unreadable or empty.
    """
    from ase.io import iread  # ASE takes 0.3 s to import; only who reads data pays

    if not path.is_file():
        of_study = key.startswith("data.")
        raise InputError(
            "is a folder, and a file is needed" if path.is_dir() else "data file does not exist",
            key=key,
            value=str(path),
            remedy="paths start from the study file's folder" if of_study else "name a file with structures",
        )
    remedy = "name a file of structures that ASE reads, e.g. extended XYZ ending in .xyz"
    try:
        total = check_counts(path, key)
        with values_as_text(text):
            what = f"reading {printable(path.name)}: structure"
            images = list(told(iread(path, index=":"), listener(), what, total))
    except InputError:
        raise
    except Exception as error:  # ASE raises whatever its many parsers raise
        refused = file_error(error) if isinstance(error, OSError) else None
        if isinstance(refused, InputError):
            raise refused.at(key=key) from error
        raise InputError(
            f"ASE cannot read it: {type(error).__name__}: {error}", file=path, key=key, remedy=remedy
        ) from error
    if not images:
        raise InputError("holds no structures", file=path, key=key, remedy=remedy)
    for atoms in images:
        atoms.set_constraint()  # of the calculation that made them: they are not part of a structure
    return images


def _keys_present(images: Sequence[Any]) -> str:
    info = sorted({k for a in images for k in a.info})
    arrays = sorted({k for a in images for k in a.arrays} - {"numbers", "positions"})
    results = sorted({k for a in images if a.calc is not None for k in a.calc.results})
    return f"the file has info: {', '.join(info) or '-'}; arrays: {', '.join([*arrays, *results]) or '-'}"


def _frame(atoms: Any, config: DataConfig, source: str, path: Path, found: Counter[str]) -> Frame:
    bare = bare_atoms(atoms)
    _check_structure(bare, source, path)
    numbers, positions, cell = bare.get_atomic_numbers(), bare.get_positions(), np.array(bare.cell)
    keys = config.keys
    results = dict(atoms.calc.results) if atoms.calc is not None else {}

    def look_up(name: str | None, place: Mapping[str, Any]) -> Any:
        # ASE's reader moves the plain names (energy, forces, stress) into a calculator.
        return None if name is None else place.get(name, results.get(name))

    energy = _numbers(look_up(keys.energy, atoms.info), (), path, source, str(keys.energy))
    forces = _numbers(look_up(keys.forces, atoms.arrays), (len(atoms), 3), path, source, str(keys.forces))
    virial = _virial(look_up(keys.virial, atoms.info), path, source, keys.virial)
    if virial is None and keys.stress is not None:
        stress = _virial(look_up(keys.stress, atoms.info), path, source, keys.stress)
        virial = None if stress is None else _virial_of(stress, atoms, path, source, keys.stress)
    for quantity, value in (("energy", energy), ("forces", forces), ("virial", virial)):
        found[quantity] += value is not None
    label = atoms.info.get(config.group_by, NO_GROUP)
    group = "" if np.size(label) == 0 else printable(label)  # ASE reads config_type=" " as an empty array
    if config.group_by in atoms.info and not group.strip():
        raise InputError(
            f"the group of {source} is empty",
            file=path,
            key="data.group_by",
            value=config.group_by,
            remedy="give every frame a group name, or point group_by at another info key",
        )
    digest = hashlib.sha256(numbers.tobytes() + positions.tobytes() + cell.tobytes() + bytes(bare.pbc))
    together = atoms.info.get(config.validation.keep_together)
    return Frame(
        bare,
        None if energy is None else float(energy),
        forces,
        virial,
        group,
        source,
        digest.hexdigest(),
        **labels_of(atoms, keys, path, source),
        together=None if together is None else str(together),
    )


def _check_structure(atoms: Any, source: str, path: Path) -> None:
    if len(atoms) == 0:
        raise InputError(f"{source} has no atoms", file=path, remedy="take the frame out")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise InputError(
            f"positions or cell of {source} are not finite", file=path, remedy="mend the frame or take it out"
        )
    if not atoms.numbers.all():
        raise InputError(
            f"{source} has an atom of no element (X)",
            file=path,
            remedy="give every atom the symbol of its element",
        )
    fault = fault_of_cell(atoms)
    if fault is not None:
        remedy = "give the right cell in Å (Lattice=...), or pbc F where it is not periodic"
        raise InputError(f"{source} {fault}", file=path, remedy=remedy)


def _numbers(value: Any, shape: tuple[int, ...], path: Path, source: str, name: str) -> FloatArray | None:
    if value is None:
        return None
    try:
        array = np.asarray(value, dtype=float).reshape(shape)
    except (TypeError, ValueError) as error:
        wanted = {(): "one number", (3, 3): "nine numbers, or six in the order xx yy zz yz xz xy"}
        raise InputError(
            f"{name} of {source} must be {wanted.get(shape, 'three numbers for each atom')}",
            file=path,
            key=name,
            value=value,
            remedy="mend the frame or take it out",
        ) from error
    if not np.isfinite(array).all():
        raise InputError(
            f"{name} of {source} holds NaN or infinity",
            file=path,
            key=name,
            remedy="remove the frame or mend its reference calculation",
        )
    return array


def _virial(value: Any, path: Path, source: str, name: str | None) -> FloatArray | None:
    if value is None:
        return None
    flat = np.asarray(value, dtype=object).ravel()
    if flat.size == 6:  # Voigt order of ASE
        xx, yy, zz, yz, xz, xy = flat
        flat = np.array([xx, xy, xz, xy, yy, yz, xz, yz, zz], dtype=object)
    return _numbers(flat, (3, 3), path, source, str(name))


def _virial_of(stress: FloatArray, atoms: Any, path: Path, source: str, key: str) -> FloatArray | None:
    """The virial of a stress; None where there is no volume and the stress only fills its place with zeros."""
    volume = volume_of(atoms)
    if volume is not None:
        return -volume * stress
    if stress.any():
        raise InputError(
            f"{source} has a stress and no volume that it could belong to",
            file=path,
            key=key,
            remedy="give the cell (Lattice=...), or take the stress of this frame out",
        )
    return None
