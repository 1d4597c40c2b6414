"""Make the silicon example data with Quantum ESPRESSO: structures, DFT, extended XYZ and checks.

    python make_silicon_data.py converge   # table of cut-offs and k-points
    python make_silicon_data.py run        # DFT for all structures (resumable)
    python make_silicon_data.py write      # silicon_train.xyz and silicon_test.xyz from what is done
    python make_silicon_data.py run --external && python make_silicon_data.py write --external
                                           # silicon_hot.xyz and silicon_random.xyz
    python make_silicon_data.py check      # sanity checks of the files

Every DFT result is cached in the work folder under a hash of the structure and the settings: a run
that was stopped goes on where it was, and a changed setting is never mixed with old results.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.eos import EquationOfState
from ase.io import read, write
from scipy.interpolate import CubicSpline
from silicon_dft import NO_VIRIAL, PSEUDO, NotConvergedError, Runner, Settings, labelled, settings_for
from silicon_external import EXTERNAL, external_structures
from silicon_structures import A0, GROUPS, all_structures, isolated_atom

HERE = Path(__file__).resolve().parent
TRAIN, TEST = HERE / "silicon_train.xyz", HERE / "silicon_test.xyz"
TEST_FRACTION = 0.15
TEST_SEED = 20261122


def _read_all(path: Path) -> list[Atoms]:
    return list(read(path, ":"))


def load_structures(work: Path, external: bool = False) -> list[Atoms]:
    """The structures of the data set or of the external sets, made once and kept in the work folder.

    The liquid-like ones come from chaotic dynamics, where another machine's last bits give another
    trajectory: a resumed run must see the same structures.
    """
    path = work / ("external.xyz" if external else "structures.xyz")
    if not path.exists():
        print("making the structures (the liquids take a minute or two)", flush=True)
        work.mkdir(parents=True, exist_ok=True)
        write(path, external_structures() if external else all_structures(), format="extxyz")
        # Read back what was just written: the file's rounding is then the same in every run.
    return _read_all(path)


def _cost(atoms: Atoms) -> float:
    """Rough relative cost: k-points (with time reversal) times atoms squared; vacuum counts as atoms."""
    grid = settings_for(atoms).kpoints or (1, 1, 1)
    return float(np.prod(grid)) * max(len(atoms), atoms.get_volume() / 40) ** 2


def command_run(runner: Runner, minutes: float | None, cheapest_first: bool, external: bool) -> None:
    """Compute all structures that are not in the cache."""
    structures = load_structures(runner.work, external)
    if cheapest_first:
        structures.sort(key=_cost)
    begin, failed = time.perf_counter(), 0
    for count, atoms in enumerate(structures, 1):
        if minutes is not None and time.perf_counter() - begin > 60 * minutes:
            print(f"stopped after {minutes} minutes; run again to go on")
            break
        settings, name = settings_for(atoms), atoms.info["structure_id"]
        try:
            result = runner.run(atoms, settings)
        except NotConvergedError as exc:
            failed += 1
            print(f"[{count}/{len(structures)}] {name}: SKIPPED ({exc})", flush=True)
            continue
        largest = float(np.abs(result["forces"]).max())
        print(
            f"[{count}/{len(structures)}] {name}: {result['energy'] / len(atoms):.4f} eV/atom, "
            f"largest force {largest:.2f} eV/Å, k {settings.kpoints} ({result['nk']}), "
            f"{result['iterations']} iterations, {result['seconds']:.0f} s, "
            f"total {(time.perf_counter() - begin) / 60:.1f} min",
            flush=True,
        )
    print(f"{failed} skipped")


def _done(runner: Runner, external: bool = False) -> list[Atoms]:
    """What is computed, with its results."""
    done = []
    for atoms in load_structures(runner.work, external):
        settings = settings_for(atoms)
        result = runner.cached(atoms, settings)
        if result is not None and "failed" not in result:
            done.append(labelled(atoms, settings, result))
    return done


def command_write_external(runner: Runner) -> None:
    """Write the external sets from what is in the cache."""
    done, everything = _done(runner, external=True), []
    for name, makers in EXTERNAL.items():
        groups = [make.__name__ for make in makers]
        frames = [a for g in groups for a in done if a.info["config_type"] == g]
        frames.sort(key=lambda a: (groups.index(a.info["config_type"]), a.info["structure_id"]))
        write(HERE / name, frames, format="extxyz")
        print(f"{name}: {len(frames)} structures, {(HERE / name).stat().st_size / 1e3:.0f} kB")
        everything += frames
    halves = [[f for f in everything if f.info["split"] == half] for half in ("validation", "test")]
    names = [make.__name__ for makers in EXTERNAL.values() for make in makers]
    print(group_table(*halves, names, "validation"))


def command_write(runner: Runner) -> None:
    """Write the training and test files from what is in the cache."""
    done = _done(runner)
    train: list[Atoms] = []
    test: list[Atoms] = []
    rng = np.random.default_rng(TEST_SEED)
    for group in (make.__name__ for make in GROUPS):
        members = sorted(
            (a for a in done if a.info["config_type"] == group), key=lambda a: a.info["structure_id"]
        )
        # The ends of the energy-volume and dimer curves stay in train: the test set shall not extrapolate.
        curve = [
            name for name in (m.info["structure_id"] for m in members) if "eos" in name or group == "dimer"
        ]
        ends = {min(curve, default=""), max(curve, default="")}
        allowed = [i for i, m in enumerate(members) if m.info["structure_id"] not in ends]
        n_test = 0 if group == "isolated_atom" else round(TEST_FRACTION * len(members))
        chosen = set(rng.permutation(allowed)[:n_test].tolist())
        train += [m for i, m in enumerate(members) if i not in chosen]
        test += [m for i, m in enumerate(members) if i in chosen]
    for path, frames in ((TRAIN, train), (TEST, test)):
        write(path, frames, format="extxyz")
        print(f"{path.name}: {len(frames)} structures, {path.stat().st_size / 1e3:.0f} kB")
    print(group_table(train, test, [make.__name__ for make in GROUPS]))


def group_table(train: list[Atoms], test: list[Atoms], groups: Sequence[str], first: str = "train") -> str:
    """Markdown table of the groups: numbers, energies relative to the isolated atom, forces."""
    frames = train + test
    # The free atom is in train alone; the external sets are compared with the same one.
    known = train if first == "train" else _read_all(TRAIN)
    atom = next((f.info["REF_energy"] for f in known if f.info["config_type"] == "isolated_atom"), 0.0)
    lines = [
        f"| group | {first} | test | atoms in the cell | energy per atom relative to the free atom (eV) "
        "| largest force component (eV/Å) | virial |",
        "|---|---|---|---|---|---|---|",
    ]
    for group in groups:
        members = [f for f in frames if f.info["config_type"] == group]
        if not members:
            continue
        energies = [f.info["REF_energy"] / len(f) - atom for f in members]
        forces = max(float(np.abs(f.arrays["REF_forces"]).max()) for f in members)
        sizes = sorted({len(f) for f in members})
        n_train = sum(f.info["config_type"] == group for f in train)
        lines.append(
            f"| {group} | {n_train} | {len(members) - n_train} | {', '.join(map(str, sizes))} "
            f"| {min(energies):.3f} to {max(energies):.3f} | {forces:.2f} "
            f"| {'no' if group in NO_VIRIAL else 'yes'} |"
        )
    n_atoms = sum(map(len, frames))
    lines.append(f"| all | {len(train)} | {len(test)} | {n_atoms} atoms altogether | | | |")
    return "\n".join(lines)


def command_converge(runner: Runner) -> None:
    """Cut-off and k-point convergence for displaced diamond and a liquid-like cell, and the free atom."""
    structures = {a.info["structure_id"]: a for a in load_structures(runner.work)}
    diamond = bulk("Si", a=A0, cubic=True)
    rattled = structures["rattled_8at_0.10_0"]
    molten = next(a for name, a in sorted(structures.items()) if name.startswith("liquid_melt8_2500K"))
    systems = {"diamond": diamond, "rattled": rattled, "liquid": molten}

    def table(title: str, variants: list[tuple[str, Settings]]) -> None:
        print(f"\n{title}\n")
        print(
            "| setting | " + " | ".join(f"{n}: dE (meV/atom), dP (GPa), max dF (eV/Å)" for n in systems), "|"
        )
        print("|---" * (1 + len(systems)) + "|")
        results = [{n: runner.run(a, s) for n, a in systems.items()} for _, s in variants]
        last = results[-1]
        for (label, _), row in zip(variants, results, strict=True):
            cells = []
            for n, atoms in systems.items():
                energy = 1000 * (row[n]["energy"] - last[n]["energy"]) / len(atoms)
                stress = np.array(row[n]["stress"]) - np.array(last[n]["stress"])
                force = np.abs(np.array(row[n]["forces"]) - np.array(last[n]["forces"])).max()
                cells.append(f"{energy:+.1f}, {-np.trace(stress) / 3 / units.GPa:+.2f}, {force:.3f}")
            print(f"| {label} | " + " | ".join(cells) + " |", flush=True)

    coarse = Settings(kpoints=(2, 2, 2), shift=(1, 1, 1))
    table(
        "Cut-off (2x2x2 shifted k-points), differences from the last line",
        [(f"{e:g} Ry", replace(coarse, ecutwfc=e)) for e in (16.0, 20.0, 24.0, 30.0, 40.0)],
    )
    table(
        "k-points (24 Ry, shifted grids), differences from the last line",
        [(f"{k}x{k}x{k}", replace(coarse, kpoints=(k, k, k))) for k in (2, 3, 4, 5)],
    )
    atom = isolated_atom()[0]
    plain, spin = (runner.run(atom, Settings(spin=s))["energy"] for s in (0.0, 0.5))
    print(f"\nfree atom: {plain:.4f} eV not spin-polarised (used), {spin:.4f} eV spin-polarised")


def _closest(some: list[Atoms], others: list[Atoms]) -> float:
    """How far the nearest pair of two sets is apart in energy, volume or forces.

    Energy per atom does not depend on orientation, origin or the choice of cell, so two symmetry-equivalent
    structures cannot differ in it. Close energies are told apart by the forces.
    """
    return min(
        max(
            abs(a.info["REF_energy"] / len(a) - b.info["REF_energy"] / len(b)),
            abs(a.get_volume() / len(a) - b.get_volume() / len(b)),
            abs(np.linalg.norm(a.arrays["REF_forces"]) - np.linalg.norm(b.arrays["REF_forces"])),
        )
        for a in some
        for b in others
    )


def command_check(runner: Runner | None) -> bool:
    """Check the files, with a runner also a virial by finite differences. True if all is well."""
    fine = True

    def report(good: bool, text: str) -> None:
        nonlocal fine
        fine = fine and good
        print(f"{'ok  ' if good else 'FAIL'} {text}")

    train, test = _read_all(TRAIN), _read_all(TEST)
    external = [frame for name in EXTERNAL for frame in _read_all(HERE / name)]
    frames = train + test + external
    numbers = [np.r_[f.info["REF_energy"], f.arrays["REF_forces"].ravel()] for f in frames]
    numbers += [np.ravel(f.info["REF_virial"]) for f in frames if "REF_virial" in f.info]
    report(
        all(np.isfinite(n).all() for n in numbers),
        f"{len(train)} + {len(test)} + {len(external)} structures, all numbers finite",
    )
    total = max(float(np.abs(f.arrays["REF_forces"].sum(axis=0)).max()) for f in frames)
    report(total < 2e-3, f"largest sum of forces {total:.1e} eV/Å")
    shapes = all(np.shape(f.info["REF_virial"]) == (9,) for f in frames if "REF_virial" in f.info)
    report(shapes, "virials are flat nine-number arrays")
    skew = max(
        float(np.abs(v - v.T).max())
        for v in (f.info["REF_virial"].reshape(3, 3) for f in frames if "REF_virial" in f.info)
    )
    report(skew < 1e-6, f"virials symmetric to {skew:.1e} eV")
    missing = {f.info["config_type"] for f in frames if "REF_virial" not in f.info}
    report(missing <= NO_VIRIAL, f"groups without virial: {', '.join(sorted(missing))}")

    closest = _closest(train, test)
    report(closest > 1e-3, f"nearest train/test pair differs by {closest:.1e} in energy, volume or forces")
    halves = [[f for f in external if f.info["split"] == half] for half in ("validation", "test")]
    closest = min(_closest(train + test, external), _closest(*halves))
    report(closest > 1e-3, f"the external sets share nothing with the others: {closest:.1e} at least")

    curve = [f for f in frames if f.info["structure_id"].startswith("strain_eos")]
    volumes = np.array([f.get_volume() / len(f) for f in curve])
    energies = np.array([f.info["REF_energy"] / len(f) for f in curve])
    near = np.abs(volumes / A0**3 * 8 - 1) < 0.15
    v0, _, modulus = EquationOfState(volumes[near], energies[near], eos="birchmurnaghan").fit()
    a0, modulus = (8 * v0) ** (1 / 3), modulus / units.GPa
    report(
        abs(a0 - 5.47) < 0.02 and abs(modulus - 88) < 6,
        f"diamond: a0 {a0:.3f} Å, bulk modulus {modulus:.1f} GPa",
    )
    # For a cubic crystal trace(virial) = 3 P V, P = -dE/dV.
    order = np.argsort(volumes)
    slope = -CubicSpline(volumes[order], energies[order])(volumes[order], 1)[1:-1]
    pressures = np.array([np.trace(f.info["REF_virial"].reshape(3, 3)) / 3 / f.get_volume() for f in curve])
    error = np.abs(slope - pressures[order][1:-1]).max() / units.GPa
    report(error < 1.5, f"pressure from the virials equals -dE/dV of a spline within {error:.2f} GPa")

    if runner is not None:
        by_name = {f.info["structure_id"]: f for f in frames}
        frame = by_name["strain_2at_11"]
        settings, step = settings_for(frame), 0.004
        virial = frame.info["REF_virial"].reshape(3, 3)
        for i, j in ((0, 0), (0, 1)):
            found = []
            for sign in (1, -1):
                strain = np.zeros((3, 3))
                strain[i, j] += 0.5 * sign * step
                strain[j, i] += 0.5 * sign * step
                moved = frame.copy()
                moved.set_cell(frame.cell.array @ (np.eye(3) + strain), scale_atoms=True)
                found.append(runner.run(moved, settings)["energy"])
            numeric = -(found[0] - found[1]) / (2 * step)
            report(
                abs(numeric - virial[i, j]) < 0.05 * abs(virial[i, j]) + 0.1,
                f"strain_2at_11 virial {'xyz'[i]}{'xyz'[j]}: {virial[i, j]:.3f} eV, "
                f"-dE/d(strain) {numeric:.3f} eV",
            )
    return fine


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, default=HERE / "work", help="cache and scratch folder (default: work/)"
    )
    parser.add_argument(
        "--pseudo-dir",
        type=Path,
        default=os.environ.get("ESPRESSO_PSEUDO"),
        help=f"folder with {PSEUDO} (default: the ESPRESSO_PSEUDO variable)",
    )
    parser.add_argument("--pw", default="pw.x", help="the pw.x command, found on the PATH (default: pw.x)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("converge", help="print the convergence tables")
    run = commands.add_parser("run", help="compute all structures")
    run.add_argument("--minutes", type=float, help="start no calculation after this many minutes")
    run.add_argument("--cheapest-first", action="store_true", help="most structures for the time given")
    write_files = commands.add_parser("write", help="write the training and test files")
    for command in (run, write_files):
        command.add_argument(
            "--external", action="store_true", help="the hot and the random structures instead"
        )
    check = commands.add_parser("check", help="check the files")
    check.add_argument(
        "--finite-strain", action="store_true", help="also check a virial with four more DFT runs"
    )
    options = parser.parse_args()

    needs_dft = options.command in ("converge", "run") or getattr(options, "finite_strain", False)
    if needs_dft and (options.pseudo_dir is None or not (options.pseudo_dir / PSEUDO).is_file()):
        parser.error(f"{PSEUDO} not found: give --pseudo-dir or set ESPRESSO_PSEUDO")
    # A single thread: the example is meant to run beside other work, and small cells gain nothing.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    runner = Runner(options.work, options.pseudo_dir or Path(), options.pw)
    if options.command == "converge":
        command_converge(runner)
    elif options.command == "run":
        command_run(runner, options.minutes, options.cheapest_first, options.external)
    elif options.command == "write":
        (command_write_external if options.external else command_write)(runner)
    else:
        return 0 if command_check(runner if needs_dft else None) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
