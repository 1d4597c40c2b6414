"""A family of studies as tables: for the terminal, as CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from xpot_core.family.members import short_keys, value_text
from xpot_core.family.results import ERRORS, QUANTITIES, FamilyResults, MemberResults, Point, Statistics
from xpot_core.report.tables.terminal import Column, PlainTable, names, numbers
from xpot_core.statistics.number_text import fixed, number
from xpot_core.system.foreign_text import csv_text

_MOST_MEMBERS = 40
HEADS = {"loss": "loss", **{key: f"{name}\n{q.short}" for key, (name, q) in ERRORS.items()}}
"""Quantity -> heading of its column."""
MEMBER_HEADS = (
    "member",
    "state",
    "trials",
    "best",
    "loss",
    HEADS["test.energy_rmse"],
    HEADS["test.force_rmse"],
    "how it ended",
)
MEMBER_TEXTS = ("member", "state", "how it ended")
"""Those of them that hold words."""


def family_renderables(family: FamilyResults) -> list[RenderableType]:
    """What a user wants to know of a family: mean and spread, the winners, who is missing."""
    found: list[RenderableType] = [_head(family)]
    points = family.statistics()
    if len(points) == 1 and not keys_of(family):
        found.append(point_table(points[0]))
    elif points:
        found += [statistics_table(family, points), hyperparameter_table(family, points)]
    found.append(members_table(family))
    found += [Text(f"note: {note}") for note in family.notes]
    found.append(Text(f"a member is a study of its own: xpot show {family.name}/{family.members[0].name}"))
    return found


def states(family: FamilyResults) -> str:
    """``8 ended, 1 failed, 1 waiting``."""
    names = [m.state for m in family.members]
    return ", ".join(f"{names.count(s)} {s}" for s in dict.fromkeys(names))


def _head(family: FamilyResults) -> Text:
    keys = "; ".join(f"{k}: {', '.join(map(value_text, v))}" for k, v in family.matrix.items())
    text = f": {len(family.members)} members ({states(family)})" + (f", {keys}" if keys else "")
    return Text.assemble((family.name, "bold"), text)


def spread(found: Statistics, digits: int = 3) -> str:
    """``0.0312 ± 0.0021``; one value alone has no spread."""
    if not found.values:
        return "–"
    mean = fixed(found.mean, digits)
    return mean if math.isnan(found.std) else f"{mean} ± {fixed(found.std, 2)}"


def full_spread(found: Statistics) -> str:
    """Mean and standard deviation with smallest and largest value."""
    if len(found.values) < 2:
        return spread(found)
    return f"{spread(found)} ({number(min(found.values), 3)}–{number(max(found.values), 3)})"


def keys_of(family: FamilyResults) -> dict[str, str]:
    """Keys of the matrix that tell points apart -> short names."""
    return short_keys([k for k in family.matrix if k != "seed"])


def quantities_of(points: Sequence[Point]) -> list[str]:
    """The quantities that any point has."""
    return [q for q in QUANTITIES if any(p.of(q).values for p in points)]


def point_table(point: Point) -> PlainTable:
    """Everything about the winners of one point: a line a quantity."""
    quantities = {q: HEADS[q].replace("\n", " ") for q in quantities_of([point])}
    quantities |= {f"values.{n}": n for n in point.names}
    rows: list[tuple[str, ...]] = []
    for quantity, name in quantities.items():
        counts = point.counts(quantity.removeprefix("values."))
        if counts:
            text = ", ".join(f"{value} ({n})" for value, n in counts.items())
            rows.append((name, str(sum(counts.values())), text, "", "", ""))
            continue
        found = point.of(quantity)
        cells = [fixed(found.mean, 4), fixed(found.std, 2), *(fixed(f(found.values), 4) for f in (min, max))]
        rows.append((name, str(len(found.values)), *cells))
    return PlainTable(
        [*names(""), *numbers("n", "mean", "std (n - 1)", "smallest", "largest")],
        rows,
        title=f"Winners of {len(point.members)} seeds" if len(point.members) > 1 else "The winner",
    )


def statistics_rows(
    family: FamilyResults, points: Sequence[Point]
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Headings, and a row a point: its values, the number of members, mean and spread of each quantity."""
    keys, shown = keys_of(family), quantities_of(points)
    rows = [
        (
            *(value_text(p.values[k]) for k in keys),
            str(len(p.members)),
            *(full_spread(p.of(q)) for q in shown),
        )
        for p in points
    ]
    return [*keys.values(), "n", *(HEADS[q] for q in shown)], rows


def statistics_table(family: FamilyResults, points: Sequence[Point]) -> PlainTable:
    """Loss and errors of the winners by point of the matrix."""
    several = any(len(p.members) > 1 for p in points)
    title = "Winners: mean ± sample standard deviation over the seeds, smallest–largest below"
    heads, rows = statistics_rows(family, points)
    count = len(keys_of(family))
    return PlainTable(
        [*names(*heads[:count]), *numbers(*heads[count:])],
        [(*r[:count], *(cell.replace(" (", "\n").rstrip(")") for cell in r[count:])) for r in rows],
        title=title if several else "Winners",
    )


def hyperparameter_rows(points: Sequence[Point]) -> list[tuple[str, list[str]]]:
    """Hyperparameter -> its text at each point."""
    names = list(dict.fromkeys(n for p in points for n in p.names))
    return [(name, [_hyperparameter(p, name) for p in points]) for name in names]


def _hyperparameter(point: Point, name: str) -> str:
    counts = point.counts(name)
    if counts:
        several = len(point.members) > 1
        return ", ".join(f"{value} ({n})" if several else value for value, n in counts.items())
    return full_spread(point.of(f"values.{name}"))


def point_name(family: FamilyResults, point: Point) -> str:
    """``alpha 0.1, twojmax 6``; ``all seeds`` without a matrix."""
    keys = keys_of(family)
    return ", ".join(f"{short} {value_text(point.values[k])}" for k, short in keys.items()) or "all seeds"


def hyperparameter_table(family: FamilyResults, points: Sequence[Point]) -> PlainTable:
    """Hyperparameters of the winners: a row each, a column a point; the other way for many points."""
    rows, title = hyperparameter_rows(points), "Hyperparameters of the winners"
    at = [point_name(family, p) for p in points]
    if len(points) <= 4:
        columns = [*names("hyperparameter"), *numbers(*at)]
        return PlainTable(columns, [(name, *cells) for name, cells in rows], title=title)
    turned = [(name, *(cells[i] for _, cells in rows)) for i, name in enumerate(at)]
    return PlainTable([*names("at"), *numbers(*(name for name, _ in rows))], turned, title=title)


def members_table(family: FamilyResults) -> PlainTable:
    """A line a member; of many, only those that are not in the statistics."""
    shown, title = list(family.members), "Members"
    if len(shown) > _MOST_MEMBERS:
        shown, title = [m for m in shown if not m.counts], "Members that are not in the statistics"
    *heads, reason = MEMBER_HEADS
    columns = [Column(head, "name" if head in MEMBER_TEXTS else "number") for head in heads]
    return PlainTable([*columns, Column(reason, "text")], map(member_cells, shown), title=title)


def member_cells(member: MemberResults) -> list[str]:
    """The cells of `MEMBER_HEADS`."""
    row, numbers = member.to_json(), member.numbers()
    errors = [fixed(numbers.get(f"test.{q}_rmse", math.nan)) for q in ("energy", "force")]
    best = "–" if row["best"] is None else str(row["best"])
    return [member.name, member.state, str(row["trials"]), best, number(row["loss"]), *errors, member.reason]


def family_csv(family: FamilyResults) -> str:
    """One line a member: values of the matrix, state, loss, errors, hyperparameters of the winner."""
    keys = list(family.matrix)
    names = list(dict.fromkeys(n for m in family.members if m.winner for n in m.winner.values))
    heads = [q.replace(".", "_") + (f" ({u.replace('Å', 'A')})" if u else "") for q, u in QUANTITIES.items()]
    # A key of the matrix may be a hyperparameter's name too, so its column carries the whole path.
    columns = ["member", *[k for k in keys if k != "seed"], "seed", "state", "trials", "best", *heads, *names]
    rows = []
    for member in family.members:
        row, numbers, winner = member.to_json(), member.numbers(), member.winner
        values = winner.values if winner else {}
        cells: list[Any] = [member.name, *(_cell(member.values.get(k)) for k in keys if k != "seed")]
        cells += [
            member.seed,
            member.state,
            row["trials"],
            row["best"],
            *(numbers.get(q) for q in QUANTITIES),
        ]
        rows.append([*cells, *(_cell(values.get(n)) for n in names)])
    return csv_text(columns, rows)


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict | bool) else value
