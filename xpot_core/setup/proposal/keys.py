"""Under which keys data files hold their reference values: by name, by the user's word, or as a guess to confirm."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpot_core.errors import InputError, nearest

NONE = "none"
"""What a user gives in place of a key that the files do not have."""
GROUP_KEYS = ("config_type", "group", "config_name", "config", "label", "type")
_NOT_A_REFERENCE = ("pred", "mace", "gap_", "snap_", "per_atom", "isolated", "kinetic", "weight", "sigma")
"""In the names of numbers that are no reference values."""
_REFERENCE_FIRST = ("ref", "dft", "qm", "vasp", "castep", "pbe")
_NOT_FORCES = ("positions", "momenta", "velocities", "magmoms", "initial_magmoms", "dipoles")
_BALANCED = 0.05
"""Forces of a frame sum to zero; a column whose sum is a smaller part than this of its size may be forces."""


@dataclass(frozen=True)
class Quantity:
    """One quantity that files may hold.

    Attributes
    ----------
    word
        In the name of a familiar key.
    option
        Of the command line.
    short
        Words of names by which a key is guessed.
    """

    name: str
    word: str
    option: str
    short: tuple[str, ...]
    shape: str


QUANTITIES = (
    Quantity("energy", "energy", "--energy-key", ("e", "en", "ene", "etot", "toten", "e0", "u"), "numbers"),
    Quantity("forces", "force", "--force-key", ("f", "frc", "for", "grad", "gradient"), "vectors"),
    Quantity("virial", "virial", "--virial-key", ("v", "vir", "w"), "tensors"),
    Quantity("stress", "stress", "--stress-key", ("s", "str"), "tensors"),
)
Given = Mapping[str, str | None]
"""Quantity, or ``group``, -> key that the user names."""


@dataclass(frozen=True)
class Guess:
    """Keys that no name gives away.

    Attributes
    ----------
    held
        What the files hold that could be reference values, in a line each.
    keys
        Quantity -> the likeliest key; None where there is none.
    guessed
        Those of them that are only guessed.
    """

    held: tuple[str, ...]
    keys: Mapping[str, str | None]
    guessed: tuple[str, ...]

    def text(self) -> str:
        """The guess in one line."""
        return ", ".join(f"{name} {key or NONE}" for name, key in self.keys.items())

    def options(self) -> str:
        """The guess as options of the command."""
        unsure = [q for q in QUANTITIES if q.name in self.guessed]
        return " ".join(f"{q.option} {self.keys[q.name] or NONE}" for q in unsure)


Ask = Callable[[Guess], bool]
"""Whether the user agrees to a guess."""


def reference_keys(
    frames: Sequence[Any], files: Sequence[Path], given: Given, ask: Ask | None
) -> dict[str, str | None]:
    """Key of each quantity; None where the files have none.

    Parameters
    ----------
    frames
        As ASE reads them.
    files
        Where they come from, for messages.
    given
        What the user names.
    ask
        Called once where names do not tell; None where there is nobody to ask.

    Raises
    ------
    InputError
        If a named key is not there, names do not tell and nobody agrees to the guess, or there is no energy at all.
    """
    held = {shape: _held(frames, read) for shape, read in _READ.items()}
    keys: dict[str, str | None] = {}
    guessed = []
    for quantity in QUANTITIES:
        named = given.get(quantity.name)
        if named is not None:
            keys[quantity.name] = _named(quantity, named, held, files[0])
            continue
        if quantity.name == "stress" and keys["virial"] is not None:
            keys["stress"] = None
            continue
        found = _familiar(quantity.word, held[quantity.shape])
        if found is None:
            taken = {key for key in keys.values() if key is not None}
            found = _likely(quantity, held[quantity.shape], frames, taken)
            guessed += [quantity.name] if found is not None else []
        keys[quantity.name] = found
    if keys["energy"] is None and given.get("energy") is None:
        raise InputError("no frame has an energy", file=files[0], remedy=_remedy_without(held))
    if guessed:
        guess = Guess(tuple(_lines(held, len(frames))), keys, tuple(guessed))
        if ask is None or not ask(guess):
            raise InputError(
                f"under which keys the reference values stand is not clear; the files hold {'; '.join(guess.held)}",
                file=files[0],
                remedy=f"name the keys; the best guess is {guess.options()}",
            )
    return keys


def group_key(frames: Sequence[Any], files: Sequence[Path], given: Given) -> str | None:
    """The info key with words as values that divides the frames into groups worth the name.

    Raises
    ------
    InputError
        If the one that the user names is not there.
    """
    named = given.get("group")
    if named == NONE:
        return None
    if named is not None:
        known = {k for a in frames for k in a.info}
        if named not in known:
            raise InputError(
                "no frame has this info key",
                file=files[0],
                key="--group-key",
                value=named,
                remedy=nearest(named, known),
            )
        return named
    values: dict[str, set[str]] = {}
    counts = Counter[str]()
    for atoms in frames:
        for key, value in atoms.info.items():
            if isinstance(value, str) and value.strip():
                values.setdefault(key, set()).add(value)
                counts[key] += 1
    usable = [
        k
        for k, found in values.items()
        if counts[k] == len(frames) and 2 <= len(found) <= max(2, len(frames) // 3)
    ]
    listed = [k for k in GROUP_KEYS if k in usable]
    return listed[0] if listed else None


# -- what the files hold -----------------------------------------------------------------------


def _results(atoms: Any) -> dict[str, Any]:
    # ASE's reader moves the plain names (energy, forces, stress) into a calculator.
    return dict(atoms.calc.results) if atoms.calc is not None else {}


def _scalars(atoms: Any) -> set[str]:
    values = {**_results(atoms), **atoms.info}
    return {k for k, v in values.items() if np.ndim(v) == 0 and isinstance(v, int | float | np.number)}


def _vectors(atoms: Any) -> set[str]:
    values = {**_results(atoms), **atoms.arrays}
    return {k for k, v in values.items() if np.shape(v) == (len(atoms), 3)} - {"positions"}


def tensors(atoms: Any) -> set[str]:
    """Info keys with six or nine numbers."""
    values = {**_results(atoms), **atoms.info}
    return {k for k, v in values.items() if np.size(v) in (6, 9) and np.asarray(v).dtype.kind in "fi"}


_READ = {"numbers": _scalars, "vectors": _vectors, "tensors": tensors}
_SAID = {"numbers": "numbers", "vectors": "vectors by atom", "tensors": "six or nine numbers"}


def _held(frames: Sequence[Any], read: Callable[[Any], set[str]]) -> Counter[str]:
    return Counter(str(key) for atoms in frames for key in read(atoms))


def _lines(held: Mapping[str, Counter[str]], frames: int) -> list[str]:
    found = []
    for shape, keys in held.items():
        told = [f"{k} ({n} of {frames})" if n < frames else k for k, n in sorted(keys.items())]
        found.append(f"{_SAID[shape]}: {', '.join(told) or NONE}")
    return found


def _named(quantity: Quantity, key: str, held: Mapping[str, Counter[str]], file: Path) -> str | None:
    if key == NONE:
        return None
    if key in held[quantity.shape]:
        return key
    raise InputError(
        f"no frame has {_SAID[quantity.shape]} under this key",
        file=file,
        key=quantity.option,
        value=key,
        remedy=nearest(key, held[quantity.shape]),
    )


def _remedy_without(held: Mapping[str, Counter[str]]) -> str:
    if not held["numbers"]:
        return "the files hold no numbers by frame: an energy stands in the second line of a frame, REF_energy=-1.0"
    return f"name its key with --energy-key; the files hold the numbers {', '.join(sorted(held['numbers']))}"


# -- choice ------------------------------------------------------------------------------------


def _familiar(word: str, found: Counter[str]) -> str | None:
    """The key with a word in its name that most frames have; names of references before others."""
    usable = _usable(k for k in found if word in k.lower())
    most = max((found[k] for k in usable), default=0)

    def rank(key: str) -> tuple[bool, int, int, str]:
        reference = any(p in key.lower() for p in _REFERENCE_FIRST)
        # A few frames without a reference value must not hand the choice to another quantity.
        return (not reference or found[key] < most / 2, -found[key], len(key), key)

    return min(usable, key=rank, default=None)


def _usable(keys: Any) -> list[str]:
    return [k for k in keys if not any(part in k.lower() for part in _NOT_A_REFERENCE)]


def _likely(
    quantity: Quantity, found: Counter[str], frames: Sequence[Any], taken: Collection[str]
) -> str | None:
    """The key whose name, or whose values, are most like those of the quantity; None where none is like them."""
    keys = [k for k in _usable(found) if k not in taken]
    by_name = [k for k in keys if set(re.split(r"[^a-z0-9]+", k.lower())) & set(quantity.short)]
    like = {"energy": _negative, "forces": _sums_to_zero}.get(quantity.name)
    by_value = [k for k in keys if like is not None and like(k, frames)]
    return min(by_name or by_value, key=lambda k: (k not in by_value, -found[k], k), default=None)


def _negative(key: str, frames: Sequence[Any]) -> bool:
    """Total energies are below zero and no whole numbers; what else a frame says of itself rarely is."""
    values = np.array([a.info[key] for a in frames if key in a.info], dtype=float)
    return bool(len(values) and (values < 0).all() and (values != np.round(values)).any())


def _sums_to_zero(key: str, frames: Sequence[Any]) -> bool:
    if key in _NOT_FORCES:
        return False
    found = [np.asarray(a.arrays[key], dtype=float) for a in frames if key in a.arrays and len(a) > 1]
    moved = [f for f in found if np.abs(f).max(initial=0.0) > 0]
    return bool(moved) and all(np.linalg.norm(f.sum(axis=0)) < _BALANCED * np.linalg.norm(f) for f in moved)
