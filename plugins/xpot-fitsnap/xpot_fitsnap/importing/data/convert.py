"""The data of a FitSNAP input as extended XYZ: what it trains on, and what it tests."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ase import Atoms
from ase.io import write

from xpot_core.api import Findings, InputError, listener, nearest, told
from xpot_fitsnap.importing.data.records import Entry, entries, reader
from xpot_fitsnap.importing.data.sizes import Sizes

SCRAPERS = ("JSON", "XYZ", "VASP")
Chosen = tuple[tuple[str, tuple[Entry, ...]], ...]
"""Groups, each with its structures."""


@dataclass(frozen=True)
class Converted:
    """What the weights need to know of the structures.

    Attributes
    ----------
    frames
        Group -> its training structures; empty if there are no data.
    test
        Whether a file with testing structures was written.
    """

    frames: Mapping[str, list[Atoms]] = field(default_factory=dict)
    test: bool = False


def convert(
    config: ConfigParser,
    path: Path,
    groups: Mapping[str, Mapping[str, float]],
    findings: Findings,
) -> Converted:
    """Write the data of a FitSNAP input beside it, as ``NAME_train.xyz`` and ``NAME_test.xyz``.

    Parameters
    ----------
    config, path
        The input, and where it was read.
    groups
        Group -> columns of its line as numbers.
    findings
        Gets a remark on what was done.

    Raises
    ------
    InputError
        If a group has no structures, or a file that holds others lies where they would go.
    """
    folder = path.parent / config.get("PATH", "dataPath", fallback="JSON")
    scraper = config.get("SCRAPER", "scraper", fallback="JSON").upper()
    if scraper not in SCRAPERS:
        raise InputError(
            "is no scraper of FitSNAP",
            key="SCRAPER.scraper",
            value=scraper,
            remedy=nearest(scraper, SCRAPERS),
        )
    target = path.with_name(f"{path.stem}_train.xyz")
    found = {group: entries(folder, group, scraper) for group in groups}
    if not any(found.values()):
        what = f"No {scraper} files were found below {folder}"
        if target.exists():
            raise InputError(
                f"{what[:1].lower()}{what[1:]}, and {target.name}, which may hold other data, lies where the "
                "study looks for them",
                file=path,
                key="PATH.dataPath",
                remedy=f"mend dataPath, or give {target.name} another name and write that under data.train",
            )
        findings.note(f"{what}: name your files under data.train.")
        return Converted()
    sizes = Sizes(config, groups, findings)
    parts: tuple[list[tuple[str, tuple[Entry, ...]]], list[tuple[str, tuple[Entry, ...]]]] = ([], [])
    for group, own in found.items():
        if not own:
            raise InputError(
                f"has no {scraper} files in {folder / group}",
                file=path,
                key=f"GROUPS.{group}",
                remedy=f"mend the name, or take the group out: {nearest(group, [p.stem for p in folder.iterdir()])}",
            )
        for part, chosen in zip(parts, sizes.split(group, own), strict=True):
            if chosen:
                part.append((group, tuple(sorted(chosen))))
    read = reader(config, scraper)
    key = (
        scraper,
        config.get("SCRAPER", "property_array", fallback=""),
        _stamp(e for own in found.values() for e in own or ()),
    )
    frames, text = _content(_Reading(read, tuple(parts[0]), key))
    _write(target, text, frames, folder, findings)
    if parts[1]:
        tested, text = _content(_Reading(read, tuple(parts[1]), key))
        _write(path.with_name(f"{path.stem}_test.xyz"), text, tested, folder, findings)
    return Converted(frames, bool(parts[1]))


@dataclass(frozen=True)
class _Reading:
    """What is read; equal to another if it would find the same."""

    read: Callable[[Iterable[Entry], str], Iterable[Atoms]] = field(compare=False)
    groups: Chosen
    key: object


@lru_cache(maxsize=2)
def _content(reading: _Reading) -> tuple[dict[str, list[Atoms]], bytes]:
    """Structures by group and all of them as extended XYZ; kept, since one input may be translated many times."""
    frames: dict[str, list[Atoms]] = {group: [] for group, _ in reading.groups}
    every = ((group, atoms) for group, found in reading.groups for atoms in reading.read(found, group))
    total = sum(len(found) for _, found in reading.groups)
    for group, atoms in told(every, listener(), "reading the data of FitSNAP: structure", total):
        frames[group].append(atoms)
    text = io.StringIO()
    write(text, [atoms for own in frames.values() for atoms in own], format="extxyz")
    return frames, text.getvalue().encode()


def _stamp(found: Iterable[Entry]) -> tuple[tuple[str, int, int], ...]:
    """Age and size of files."""
    states = {name: os.stat(name) for name in dict.fromkeys(name for name, _ in found)}
    return tuple((name, s.st_mtime_ns, s.st_size) for name, s in states.items())


def _write(
    target: Path, content: bytes, frames: Mapping[str, list[Atoms]], folder: Path, findings: Findings
) -> None:
    n = sum(map(len, frames.values()))
    try:
        if not target.exists():
            target.write_bytes(content)
            findings.note(f"{n} structures were written to {target.name}.")
        elif target.read_bytes() != content:
            raise InputError(
                f"does not hold the {n} structures of {folder}, which would go there",
                file=target,
                remedy="move it elsewhere, or remove it",
            )
    except OSError as error:
        findings.note(f"{target} cannot be written ({error.strerror}): convert the data yourself.")
