"""Words of a FitSNAP input as numbers, flags and values by element."""

from __future__ import annotations

from typing import Any

from xpot_core.api import InputError
from xpot_fitsnap.running.shim import strtobool


def to_number(text: str, key: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise InputError("is not a number", key=key, value=text) from None


def to_flag(text: str, key: str) -> bool:
    """A truth value as FitSNAP reads it."""
    try:
        return bool(strtobool(text))
    except ValueError:
        raise InputError("is neither true nor false", key=key, value=text) from None


def is_number(word: str) -> bool:
    """Whether a word is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def per_element(text: str, types: list[str], name: str, kind: type) -> Any:
    """One value for all types, or a mapping of element to value."""
    words = text.split()
    if len(words) == 1:
        words *= len(types)
    if len(words) != len(types):
        raise InputError(
            f"has {len(words)} values for {len(types)} types", key=f"BISPECTRUM.{name}", value=text
        )
    numbers = [to_number(w, f"BISPECTRUM.{name}") for w in words]
    if kind is int and not all(number.is_integer() for number in numbers):
        raise InputError("is no whole number", key=f"BISPECTRUM.{name}", value=text)
    return one_if_equal({t: kind(number) for t, number in zip(types, numbers, strict=True)})


def one_if_equal(value: Any) -> Any:
    """One value instead of a mapping to equal ones."""
    if isinstance(value, dict) and len(set(value.values())) == 1:
        return next(iter(value.values()))
    return value
