"""Numbers of sparse points by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpot_core.api import Findings, InputError
from xpot_gap.descriptors.declare import POOL
from xpot_gap.importing.data import Data
from xpot_gap.importing.reading.grammar import fields, whole
from xpot_gap.importing.sigmas import known, rows_by_type

_KEY = "config_type_n_sparse"


class SparsePoints:
    """What the descriptors of a command say about sparse points.

    gap_fit gives a number for ``default`` to the groups together that neither these lists nor
    ``config_type_sigma`` name.

    Parameters
    ----------
    descriptors
        Settings of all descriptors.
    by_type
        ``config_type_sigma``.
    data
        The training file.
    findings
        Gets notes.
    """

    def __init__(
        self, descriptors: Sequence[Mapping[str, str]], by_type: str, data: Data, findings: Findings
    ) -> None:
        self._data, self._findings = data, findings
        lists = [_numbers(d[_KEY], _KEY) for d in descriptors if d.get(_KEY, "").strip()]
        named = [*rows_by_type(by_type), *(name for numbers in lists for name in numbers)]
        self._named = [name for name in dict.fromkeys(named) if name != POOL]
        self._others = [group for group in data.groups if group not in self._named]

    def of(self, kind: str, pairs: Mapping[str, str]) -> dict[str, Any]:
        """The options `n_sparse`, `pool` and `pool_groups` of one descriptor."""
        key, n = f"{kind}: {_KEY}", whole(pairs.get("n_sparse", "0"), f"{kind}: n_sparse")
        text = pairs.get(_KEY, "").strip()
        if n and text:
            raise InputError(f"gap_fit takes n_sparse or {_KEY}, not both", key=key, value=text)
        if not text:
            if not n:
                raise InputError(f"gives neither n_sparse nor {_KEY}", key=kind)
            return {"n_sparse": n}
        given = _numbers(text, key)
        rest = given.pop(POOL, 0)
        mapping = known(given, self._data.groups, key, self._findings)
        if not self._data.images:
            if rest:
                self._findings.note(f"{key}: the groups without a name get {rest} sparse points together.")
            return {"n_sparse": mapping}
        mapping |= {group: 0 for group in self._data.groups if group not in mapping}
        if rest and len(self._others) > 1:
            return {"n_sparse": mapping, "pool": rest, "pool_groups": self._others}
        return {"n_sparse": mapping | dict.fromkeys(self._others, rest)}


def _numbers(text: str, key: str) -> dict[str, int]:
    parts = fields(text)
    if len(parts) % 2:
        raise InputError(
            "must give a number for each config type",
            key=key,
            value=text,
            remedy="write name:number:name:number",
        )
    return {name: whole(number, key) for name, number in zip(parts[::2], parts[1::2], strict=True)}
