"""The sections of an old input as the programs themselves read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml


def fitsnap_input(blocks: Mapping[str, Any]) -> str:
    """An input of FitSNAP; the names of the sections stand in brackets."""
    lines = []
    for section, settings in blocks.items():
        lines.append(section if section.startswith("[") else f"[{section}]")
        for key, value in settings.items():
            if not _empty(value):
                # older inputs number the values of elements: wj1, wj2
                lines.append(f"{key} = {_joined(value)}")
    return "\n".join(lines) + "\n"


def gap_fit_command(blocks: Mapping[str, Any]) -> str:
    """A command line of gap_fit."""
    words = ["gap_fit"]
    for key, value in blocks.items():
        if key == "gap":
            terms = [
                # gap_fit takes a pair of braces away where it parts descriptors, and one where it reads each of them
                " ".join([kind, *(f"{k}={_braced(v, 2)}" for k, v in term.items() if not _empty(v))])
                for kind, term in value.items()
            ]
            words.append(f"gap={{{' : '.join(terms)}}}")
        elif not _empty(value):
            words.append(f"{key.replace(' ', '_')}={_braced(value)}")
    return " ".join(words)


def pacemaker_input(blocks: Mapping[str, Any]) -> str:
    """An input of pacemaker."""
    return str(yaml.safe_dump(_without_empty(blocks), sort_keys=False))


WRITERS: dict[str, tuple[str, str, Callable[[Mapping[str, Any]], str]]] = {
    "fitsnap": ("[BISPECTRUM]", "xpot-fitsnap", fitsnap_input),
    "gap-fit": ("gap", "xpot-gap", gap_fit_command),
    "pacemaker": ("potential", "xpot-ace", pacemaker_input),
}
"""Importer -> a block that only its inputs have, the distribution that holds it, and how its input is written."""


def _empty(value: Any) -> bool:
    """What the published XPOT leaves out."""
    return value in ("", {}, None)


def _joined(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"\s+", " ", text).strip()


def _braced(value: Any, pairs: int = 1) -> str:
    text = _joined(value)
    return "{" * pairs + text + "}" * pairs if isinstance(value, list) or set(text) & set(" :;") else text


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_empty(v) for k, v in value.items() if not _empty(v)}
    return value
