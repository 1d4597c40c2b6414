"""Figures about the values that a search found: weights over time, the chosen against the defaults."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xpot_core.options.declare import DeclaredOption
from xpot_core.options.find import option_of
from xpot_core.options.roles import Role
from xpot_core.report.figures.style import (
    BLACK,
    COLUMN,
    CYCLE,
    DENSE,
    LINES,
    MARKERS,
    ORANGE,
    PAGE,
    SKY,
    ReportFigure,
    label_panel,
    new_figure,
    short,
)
from xpot_core.report.statistics.series import Series, expanded, provider_of
from xpot_core.results.read import StudyResults
from xpot_core.space.parameters import Choice, Parameter
from xpot_core.statistics.number_text import number
from xpot_core.types.trials import Trial

_TOP_SHARE = 0.1


def weights(results: StudyResults, series: Series) -> ReportFigure | None:
    """How the values of expanded options (weights by group) were found."""
    families = expanded(results.space, results)
    families = {
        option: {m: p for m, p in by_member.items() if not isinstance(p, Choice)}
        for option, by_member in families.items()
    }
    families = {option: by_member for option, by_member in families.items() if by_member}
    if not families:
        return None
    columns = min(2, len(families))
    lines = math.ceil(len(families) / columns)
    figure = new_figure(PAGE if columns > 1 else COLUMN, 2.3 * lines + 0.2)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    rows: list[tuple[Any, ...]] = []
    for ax in axes[len(families) :]:
        ax.set_axis_off()
    many = max(len(m) for m in families.values()) > len(CYCLE)
    for ax, letter, (option, by_member) in zip(axes, "abcdefghijklmnop", families.items(), strict=False):
        for i, (member, parameter) in enumerate(sorted(by_member.items())):
            values = np.array([_float(t.values.get(parameter.name)) for t in series.trials])
            colour, style = CYCLE[i % len(CYCLE)], LINES[(i + i // len(CYCLE)) % len(LINES)]
            so_far = series.so_far(values)
            ax.plot(
                series.numbers,
                values,
                ".",
                color=colour,
                ms=1.8,
                alpha=0.35,
                zorder=1,
                rasterized=len(values) * len(by_member) > DENSE,
            )
            ax.step(series.numbers, so_far, where="post", color=colour, ls=style, lw=1.3, zorder=2)
            if np.isfinite(so_far[-1]):
                ax.plot(
                    series.numbers[-1],
                    so_far[-1],
                    MARKERS[i % len(MARKERS)],
                    color=colour,
                    mec=BLACK,
                    mew=0.4,
                    ms=4.5,
                    clip_on=False,
                    zorder=3,
                )
            ax.plot(
                [],
                [],
                color=colour,
                ls=style,
                marker=MARKERS[i % len(MARKERS)],
                ms=4,
                label=short(member, 20),
            )
            rows += [
                (option, member, t.number, _blank(v), _blank(b))
                for t, v, b in zip(series.trials, values, so_far, strict=True)
            ]
        some = next(iter(by_member.values()))
        if isinstance(some, Choice):
            continue
        if some.log:
            ax.set_yscale("log")
        ax.set_title(short(option, 40))
        ax.set_xlabel("trial")
        ax.set_ylabel(short(option.rpartition(".")[2], 24))
        ax.set_xlim(-0.5, len(series.numbers) - 0.5)
        ax.grid(axis="y")
        if len(families) > 1:
            label_panel(ax, letter)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=(6 if many else 4) if columns > 1 else 3,
    )
    return ReportFigure(
        "weights",
        "Learning of weights",
        "Values of "
        + ", ".join(f"{o} for {len(m)} groups or elements" for o, m in families.items())
        + " against the trial: lines are those of the best trial so far.",
        figure,
        "Lines: value in the best trial so far; dots: what each trial tried.",
        ("option", "member", "trial", "value", "value_in_best_so_far"),
        rows,
        wide=columns > 1,
    )


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _blank(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _declarations(results: StudyResults, names: Sequence[str]) -> dict[str, tuple[DeclaredOption, str]]:
    """The fitter's options that hyperparameters belong to; nothing where its plugin is not installed."""
    provider = provider_of(results, "fitter")
    if provider is None:
        return {}
    found = {}
    for name in names:
        with contextlib.suppress(KeyError):  # made with another version of the plugin
            found[name] = option_of(provider.options, name)
    return found


def _default(declared: DeclaredOption, member: str) -> Any:
    """The fitter's own default, of one group or element, or of one item of a list."""
    if declared.field.is_required():
        return None
    value = declared.field.get_default(call_default_factory=True)
    if isinstance(value, Mapping):
        return value.get(member)
    if isinstance(value, list | tuple):
        return value[int(member)] if member.isdigit() and int(member) < len(value) else None
    return value


def chosen(
    results: StudyResults, parameters: Sequence[Parameter], trials: Sequence[Trial], best: Trial
) -> ReportFigure:
    """The values of the best trial in their ranges, against defaults and other good trials."""
    declared = _declarations(results, [p.name for p in parameters])
    defaults = {name: _default(*found) for name, found in declared.items()}
    good = sorted(trials, key=lambda t: (t.loss, t.number))[: max(round(_TOP_SHARE * len(trials)), 3)]
    figure = new_figure(PAGE, 0.75 + 0.2 * max(len(parameters), 2))
    ax = figure.subplots()
    rows = []
    for y, parameter in enumerate(parameters):
        units = [parameter.to_unit(t.values[parameter.name]) for t in good]
        ax.plot([0, 1], [y, y], color="#CCCCCC", lw=1.0, zorder=1, solid_capstyle="butt")
        ax.plot(
            [min(units), max(units)],
            [y, y],
            color=SKY,
            lw=5,
            zorder=2,
            solid_capstyle="butt",
            label=f"range of the best {len(good)} trials" if y == 0 else "",
        )
        default = defaults.get(parameter.name)
        if parameter.contains(default):
            ax.plot(parameter.to_unit(default), y, "D", mfc="white", mec=BLACK, mew=0.8, ms=4.5, zorder=3)
        value = best.values[parameter.name]
        ax.plot(parameter.to_unit(value), y, "*", color=ORANGE, mec=BLACK, mew=0.5, ms=8.5, zorder=4)
        ends = (
            (parameter.choices[0], parameter.choices[-1])
            if isinstance(parameter, Choice)
            else (parameter.low, parameter.high)
        )
        for x, end, side in ((-0.03, ends[0], "right"), (1.03, ends[1], "left")):
            ax.text(x, y, _brief(end), ha=side, va="center", fontsize=6, color="#555555", parse_math=False)
        told = f"default {_brief(default)}" if default is not None else ""
        ax.text(1.13, y, number(value, 4)[:24], va="center", fontsize=7, fontweight="bold", parse_math=False)
        ax.text(1.34, y, told, va="center", fontsize=6.5, color="#333333", parse_math=False)
        rows.append((parameter.name, value, default, *ends, *_span(parameter, units)))
    ax.plot([], [], "*", color=ORANGE, mec=BLACK, mew=0.5, ms=8, label="chosen")
    if any(p.contains(defaults.get(p.name)) for p in parameters):
        ax.plot([], [], "D", mfc="white", mec=BLACK, mew=0.8, ms=4.5, label="default of the fitter")
    ax.set_yticks(range(len(parameters)), [short(p.name, 34) for p in parameters])
    ax.set_ylim(len(parameters) - 0.4, -0.6)
    ax.set_xlim(-0.1, 1.56)
    ax.set_xticks([])
    ax.tick_params(left=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    roles = {name: option.info.role for name, (option, _) in declared.items()}
    edge = [
        p.name
        for p in parameters
        if not isinstance(p, Choice) and worth_widening(p, best.values[p.name], roles.get(p.name))
    ]
    return ReportFigure(
        "chosen",
        "Chosen hyperparameters against defaults",
        f"Chosen values of {len(parameters)} hyperparameters within their ranges: "
        + "; ".join(f"{r[0]} {number(r[1])}" for r in rows[:12])
        + ".",
        figure,
        "Each line is the searched range (logarithmic where the search is)."
        + (f" At the edge of its range, which may be worth widening: {', '.join(edge)}." if edge else ""),
        ("hyperparameter", "chosen", "default", "low", "high", "good_low", "good_high"),
        rows,
    )


def _brief(value: Any) -> str:
    text = number(value, 3)
    return text if len(text) <= 14 else text[:13] + "…"


def _span(parameter: Parameter, units: Sequence[float]) -> tuple[Any, Any]:
    clipped = [min(max(u, 0.0), 1.0) for u in (min(units), max(units))]
    return parameter.from_unit(clipped[0]), parameter.from_unit(clipped[1])


def worth_widening(parameter: Parameter, value: Any, role: Role | None) -> bool:
    """Whether a chosen value lies so near an end of its range that a wider one may hold a better one."""
    unit = parameter.to_unit(value)
    # Below the smallest ridge there is only none.
    return bool(unit > 0.98 or (unit < 0.02 and role is not Role.RIDGE))
