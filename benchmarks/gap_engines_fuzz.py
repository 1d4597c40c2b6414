"""Random inputs of gap_fit, imported and fitted by both engines: the same rows and the same potentials.

    python benchmarks/gap_engines_fuzz.py 100 [--seed 0]

The inputs are those of ``migration_fuzz.py``; each that the importer takes is fitted to tiny cells, smaller than
the cutoffs, and a cluster. With gap_fit's sparse points the rows of the kernel, the kernel between sparse points
and the targets of both engines are compared, and energies, forces and virials of the potentials. Some of these
inputs ask for more sparse points than the data can tell apart: the potentials may then differ by rounding times
the condition of the least squares, the rows never. For `pp` of clusters with equal atoms gap_fit's force rows are
not the gradients of its energy rows (ours are, and quippy's forces of the potential are right): there only energy
rows are compared. What one engine refuses the other must refuse. Counts and largest differences go to
``benchmarks/results/gap_engines_fuzz.md``; the status is 1 if any case differs.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import multiprocessing
import os
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import bulk
from gap_speed import RESULTS
from migration_fuzz_inputs import Maker
from xpot_gap.fitter import GapFitter
from xpot_gap.importing.study import study_from_source
from xpot_gap.native.terms import read_terms
from xpot_gap.options import GapOptions
from xpot_gap.potential.calculator import calculator

from xpot_core.api import (
    FitRequest,
    FloatArray,
    Frame,
    InputError,
    Limits,
    TrainingData,
    TrialError,
    TrialTimeoutError,
)

GROUPS = ("aa", "bb")
ROWS, ENERGY, FORCE, VIRIAL = 1e-9, 1e-8, 1e-6, 1e-6
"""Largest differences: of rows relative to the largest value, of potentials in eV/atom, eV/Å and eV/atom."""
ROUNDING = 1e-15
"""Times the condition of the least squares, potentials may differ so much."""
ILL = ENERGY / ROUNDING
_PATIENCE = 120.0
"""Seconds for each run of gap_fit, which for some inputs seems never to end."""


def frames_of(elements: tuple[str, ...]) -> TrainingData:
    """Six cells of two to eight atoms and a cluster with labels at random."""
    frames = []
    for number in range(7):
        rng = np.random.default_rng(number)
        atoms = bulk("InP", "zincblende", a=5.6, cubic=number % 2 == 1)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.04 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.15 * rng.normal(size=atoms.positions.shape)
        if len(elements) == 1:
            atoms.symbols[:] = elements[0]
        virial: FloatArray | None = rng.normal(size=(3, 3))
        if number == 6:
            atoms.pbc, virial = False, None
            atoms.cell[:] = 0
        virial = None if virial is None else virial + virial.T
        labels = rng.normal(size=(len(atoms), 3))
        group = GROUPS[number % 2]
        frames.append(
            Frame(atoms, float(-2 * len(atoms) + rng.normal()), labels, virial, group, f"#{number}")
        )
    return TrainingData(tuple(frames), (-1,) * len(frames), tuple(sorted(elements)), GROUPS)


@dataclass
class Difference:
    """How far the two engines are from each other."""

    rows: float
    energy: float
    force: float
    virial: float
    condition: float
    only_energies: bool = False

    @property
    def fault(self) -> bool:
        """Whether they do not compute the same."""
        if self.only_energies:
            return self.rows > ROWS
        beyond = max(self.energy / ENERGY, self.force / FORCE, self.virial / VIRIAL)
        return self.rows > ROWS or beyond > max(1.0, self.condition / ILL)


def compare(gap: dict[str, object], data: TrainingData, folder: Path) -> Difference | None:
    """Fit by both engines; None where neither can.

    Raises
    ------
    TrialError
        If only one of them can.
    """
    designs, found = [], []
    refusals = []
    for engine in ("native", "gap_fit"):
        chosen = GapOptions.model_validate(
            {**gap, "engine": engine, "sparse_selection": "gap_fit", "cache_gb": 0}
        )
        directory = folder / engine
        directory.mkdir()
        request = FitRequest(chosen, data, directory, 3, limits=Limits(seconds=_PATIENCE))
        try:
            designs.append(GapFitter().prepare(request))
        except TrialTimeoutError:
            raise
        except TrialError as error:
            refusals.append(error)
            continue
        potential = designs[-1].fit(chosen, directory=directory, final=True)
        model, values = calculator(potential), []
        for frame in data.frames:
            atoms = frame.atoms.copy()
            atoms.calc = model
            virial = atoms.get_stress() * atoms.get_volume() if atoms.pbc.all() else np.zeros(6)
            values.append((atoms.get_potential_energy(), atoms.get_forces(), virial))
        found.append(values)
        # of the kernel's own basis, in which gap_fit solves
        condition = designs[-1]._white.exact(np.sqrt(designs[-1]._row_weights(chosen, None)))[1]
    if len(refusals) == 2:
        return None
    if refusals:
        raise refusals[0]
    ours, theirs = (d._trained for d in designs)
    wrong = any(t.kernel.compact and t.kernel.permutations is not None for t in read_terms(ours.text))
    kind = slice(len(data.frames) if wrong else None)
    pairs = [
        (ours.kernel[kind], theirs.kernel[kind]),
        (ours.sparse, theirs.sparse),
        (ours.target, theirs.target),
    ]
    rows = max(float(np.abs(a - b).max() / max(1e-300, np.abs(b).max())) for a, b in pairs)
    gaps = np.max(
        [
            (abs(a[0] - b[0]) / len(a[1]), np.abs(a[1] - b[1]).max(), np.abs(a[2] - b[2]).max() / len(a[1]))
            for a, b in zip(*found, strict=True)
        ],
        axis=0,
    )
    energy, force, virial = map(float, gaps)
    return Difference(rows, energy, force, virial, condition, wrong)


def case(seed: int) -> tuple[str, Difference | None, str]:
    """Outcome, differences where both engines fit, and the input."""
    maker = Maker(seed)
    n = maker.pick(1, 2)
    text = maker.command(n)
    Path("fuzz.cfg").write_text(text, encoding="utf-8")
    try:
        imported = study_from_source("fuzz.cfg")
        gap = dict(imported.study["fitter"]["gap"])
        if imported.lost:
            return "the importer refuses", None, text
        GapOptions.model_validate({**gap, "engine": "native"})
    except InputError:
        return "the importer refuses", None, text
    except ValueError:
        return "left to gap_fit", None, text
    with tempfile.TemporaryDirectory() as name:
        try:
            found = compare(gap, frames_of(("P", "In")[:n]), Path(name))
        except TrialTimeoutError:
            return f"gap_fit takes over {_PATIENCE:.0f} s", None, text
        except TrialError as error:
            return "differ", None, f"{error}\n{text}"
    if found is None:
        return "both refuse", None, text
    same = "the same energy rows, wrong force rows of gap_fit" if found.only_energies else "the same"
    return "differ" if found.fault else same, found, text


def apart(seed: int) -> tuple[str, Difference | None, str]:
    """The same in a process of its own, since quippy ends the process where it does not like something."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=lambda: theirs.send(case(seed)))
    process.start()
    theirs.close()
    try:
        found: tuple[str, Difference | None, str] = ours.recv()
    except EOFError:
        found = "differ", None, "the process ended\n" + Path("fuzz.cfg").read_text(encoding="utf-8")
    process.join()
    return found


def main() -> None:
    """Run the cases; print those that differ."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    counts: Counter[str] = Counter()
    differences: dict[str, list[Difference]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, element in (("1", "P"), ("2", "In")):
            Path(f"{name}.xyz").write_text(_FRAMES.format(first=element), encoding="utf-8")
        for seed in range(given.seed, given.seed + given.cases):
            outcome, found, text = apart(seed)
            counts[outcome] += 1
            print(f"{seed}: {outcome}", found or "", flush=True)
            if found is not None and not found.only_energies:
                differences["ill" if found.condition >= ILL else "well"].append(found)
            if outcome == "differ":
                print(text, flush=True)
    told = ", ".join(f"{name}: {count}" for name, count in counts.most_common())
    print(told)
    store(given.cases, given.seed, told, differences)
    sys.exit(1 if counts["differ"] else 0)


_FRAMES = "".join(
    f"""2
Lattice="8 0 0 0 8 0 0 0 8" pbc="T T T" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.{n} config_type={group}
{{first}} 0 0 0 0 0 0
P 2.{n} 0 0 0 0 0
"""
    for n, group in enumerate(GROUPS)
)


def store(cases: int, seed: int, told: str, differences: dict[str, list[Difference]]) -> None:
    """Counts and largest differences."""
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [
        "# Both engines of GAP on random inputs",
        "",
        f"{when}; `python benchmarks/gap_engines_fuzz.py {cases} --seed {seed}`: {told}.",
        "",
        "| fits | cases | rows, relative | energy, eV/atom | force, eV/Å | virial, eV/atom |",
        "|---|---|---|---|---|---|",
    ]
    names = {"well": f"condition below {ILL:.0e}", "ill": f"condition from {ILL:.0e} on"}
    for kind, found in sorted(differences.items(), reverse=True):
        largest = (max(getattr(d, name) for d in found) for name in ("rows", "energy", "force", "virial"))
        lines.append(f"| {names[kind]} | {len(found)} | " + " | ".join(f"{x:.0e}" for x in largest) + " |")
    (RESULTS / "gap_engines_fuzz.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
