"""Which structures FitSNAP trains on, which it tests, and which it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from random import Random
from typing import TypeVar

from xpot_core.api import Findings, InputError
from xpot_fitsnap.importing.values import to_flag, to_number

T = TypeVar("T")


class Sizes:
    """The sizes of all groups of an input.

    Parameters
    ----------
    config
        The input.
    groups
        Group -> columns of its line as numbers.
    findings
        Gets a remark where FitSNAP draws structures by chance.
    """

    def __init__(
        self, config: ConfigParser, groups: Mapping[str, Mapping[str, float]], findings: Findings
    ) -> None:
        columns = config.get("GROUPS", "group_sections", fallback="name size eweight fweight vweight").split()
        types = config.get("GROUPS", "group_types", fallback="str float float float float").split()
        self._kinds = dict(zip(columns, types, strict=False))
        self._groups = groups
        self._random: Random | None = None
        if to_flag(config.get("GROUPS", "random_sampling", fallback="0"), "GROUPS.random_sampling"):
            seed = int(to_number(config.get("GROUPS", "random_seed", fallback="0"), "GROUPS.random_seed"))
            self._random = Random(seed)
            if not seed:
                findings.note(
                    "random_sampling draws other structures in each run of FitSNAP; these are drawn with seed 0."
                )

    def split(self, group: str, found: Sequence[T]) -> tuple[list[T], list[T]]:
        """The training and the testing part of a group, in FitSNAP's order.

        Groups must be asked for in the order of the input: FitSNAP shuffles one after the other.
        """
        row = self._groups[group]
        items = list(found)
        if self._random is not None:
            self._random.shuffle(items)
        name = "training_size" if "training_size" in row else "size"
        training = self._count(row.get(name, 1.0), name, len(items))
        testing = self._count(row.get("testing_size", 0.0), "testing_size", len(items))
        if name == "size" and not testing and row.get("size", 1.0) < 1:
            testing = len(items) - training
        if training > len(items):
            raise InputError(
                f"asks for {training} of {len(items)} structures", key=f"GROUPS.{group}", value=name
            )
        testing = min(testing, len(items) - training)
        return items[:training], items[training : training + testing]

    def _count(self, size: float, name: str, n: int) -> int:
        """Numbers below one are parts, as is 1.0; larger ones, and a whole 1, count structures."""
        if size == 0:
            return 0
        if size == 1 and self._kinds.get(name, "float") == "float":
            return n
        if size < 1:
            return max(1, int(abs(size) * n + 0.5))
        if not float(size).is_integer():
            raise InputError("is no whole number of structures", key=f"GROUPS.{name}", value=size)
        return int(size)
