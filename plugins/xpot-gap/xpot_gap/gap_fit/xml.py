"""Reading and rewriting the XML file that gap_fit writes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpot_core.api import FitError, FloatArray

_ALPHA = re.compile(r'(<sparseX\b[^>]*?\balpha=")([^"]*)(")')
_LABEL = re.compile(r'<GAP_params\b[^>]*?\blabel="([^"]+)"')
_SIGMA = re.compile(r"\b(default_sigma|config_type_sigma)=(\{[^{}]*\}|\"[^\"]*\"|\S+)")
_COORDINATES = re.compile(r"<gpCoordinates\b(.*?)</gpCoordinates>", re.DOTALL)
_SPARSE_POINT = re.compile(r'<sparseX\b[^>]*?\bsparseCutoff="([^"]*)"[^>]*>(.*?)</sparseX>', re.DOTALL)
_THETA = re.compile(r"<theta>(.*?)</theta>", re.DOTALL)
_DESCRIPTOR = re.compile(r"<descriptor>(.*?)</descriptor>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_NOT_A_NUMBER = re.compile(r"\bnan\b|\binfinity\b", re.IGNORECASE)


def read_checked(path: Path, log: str) -> str:
    """The text of a potential just written.

    Raises
    ------
    FitError
        If there is none, or it holds NaN: gap_fit writes that and ends with status 0.
    """
    if not path.is_file() or path.stat().st_size == 0:
        raise FitError("gap_fit ended without a potential", remedy="see the log tail", log=log[-4000:])
    text = path.read_text(encoding="utf-8")
    if not np.isfinite(coefficients(text)).all() or _NOT_A_NUMBER.search(text):
        raise FitError(
            "gap_fit wrote a potential with NaN in it",
            remedy="look for NaN among the reference values, or for a sigma or delta out of all proportion",
            log=log[-4000:],
        )
    return text


def coefficients(text: str) -> FloatArray:
    """All ``alpha``, shape (n_sparse_total,), in order over the gpCoordinates."""
    return np.array([float(match[1]) for match in _ALPHA.findall(text)])


def sparse_counts(text: str) -> list[int]:
    """Number of sparse points of each gpCoordinates."""
    return [len(_ALPHA.findall(block)) for block in _COORDINATES.findall(text)]


def label(text: str) -> str:
    """The label by which LAMMPS' ``pair_style quip`` names the potential."""
    match = _LABEL.search(text)
    if not match:
        raise FitError("the potential has no label: it is not what gap_fit writes")
    return match[1]


@dataclass(frozen=True, eq=False)
class Block:
    """One gpCoordinates.

    Attributes
    ----------
    descriptor
        As quippy takes it.
    theta
        Shape (d,): length scales, if its kernel has some.
    values
        Shape (m, d): sparse points.
    cutoff
        Shape (m,): their cutoff factors.
    """

    descriptor: str
    theta: FloatArray | None
    values: FloatArray
    cutoff: FloatArray


def blocks(text: str) -> list[Block]:
    """All gpCoordinates of a potential."""
    found = []
    for part in _COORDINATES.findall(text):
        points = _SPARSE_POINT.findall(part)
        descriptor, theta = _DESCRIPTOR.search(part), _THETA.search(part)
        if descriptor is None:
            raise FitError("the potential has a term without a descriptor: it is not what gap_fit writes")
        values = [np.array(_TAG.sub(" ", coordinates).split(), dtype=float) for _, coordinates in points]
        found.append(
            Block(
                descriptor[1].strip(),
                None if theta is None else np.array(theta[1].split(), dtype=float),
                np.array(values),
                np.array([float(cutoff) for cutoff, _ in points]),
            )
        )
    return found


def sparse_points(text: str) -> list[str]:
    """The sparse points of each gpCoordinates in the form of ``sparse_method=file``.

    One number a line: for each point its cutoff factor and then its coordinates.
    """
    files = []
    for block in _COORDINATES.findall(text):
        lines = []
        for cutoff, coordinates in _SPARSE_POINT.findall(block):
            # Beyond 50 coordinates they stand in <sparseX_slice> elements.
            lines += [cutoff, *_TAG.sub(" ", coordinates).split()]
        files.append("\n".join(lines) + "\n")
    return files


def length_scales(text: str) -> list[str]:
    """The length scales of each gpCoordinates in the form of ``theta_file``; empty where its kernel has none."""
    found = [_THETA.search(block) for block in _COORDINATES.findall(text)]
    return [" ".join(match[1].split()) + "\n" if match else "" for match in found]


def with_coefficients(text: str, alpha: FloatArray) -> str:
    """A copy with other coefficients."""
    values = iter(alpha)
    try:
        changed = _ALPHA.sub(lambda match: f"{match[1]}{float(next(values))!r}{match[3]}", text)
    except StopIteration:
        raise FitError(f"the potential has more sparse points than the {len(alpha)} coefficients") from None
    if next(values, None) is not None:
        raise FitError(f"the potential has fewer sparse points than the {len(alpha)} coefficients")
    return changed


def with_sigmas(text: str, arguments: Sequence[str]) -> str:
    """A copy whose recorded command line shows the sigmas that its coefficients were solved with."""
    new = dict(argument.split("=", 1) for argument in arguments)

    def swap(match: re.Match[str]) -> str:
        return " ".join(f"{key}={value}" for key, value in new.items()) if match[1] == "default_sigma" else ""

    head, start, rest = text.partition("<command_line>")
    command, end, tail = rest.partition("</command_line>")
    return head + start + _SIGMA.sub(swap, command) + end + tail


def with_stable_label(text: str) -> str:
    """A copy whose label is made of the content, not of the clock: equal fits give equal files."""
    old = label(text)
    blank = text.replace(old, "GAP_xpot")
    digest = hashlib.sha256(blank.encode()).hexdigest()[:16]
    return text.replace(old, f"GAP_xpot_{digest}")
