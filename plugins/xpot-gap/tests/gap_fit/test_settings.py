"""Whatever the settings, gap_fit reads what was meant."""

from __future__ import annotations

import re
import subprocess
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.data import atomic_numbers
from gap_cases import make_frame
from gap_reader import PIECE, read_descriptors, read_file, read_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xpot_gap.gap_fit.command import safe_names
from xpot_gap.gap_fit.plan import Plan
from xpot_gap.gap_fit.runner import gap_fit_program
from xpot_gap.gap_fit.settings import by_group, check_descriptor_list, descriptor_list, write_settings
from xpot_gap.options import GapOptions

from xpot_core.api import FitRequest, Frame, InputError, TrainingData

ELEMENTS = ("Al", "Ni", "Cu", "Ag", "Au")
_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


def _between(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers with few digits, and with all that a drawn hyperparameter has."""
    return st.floats(low, high) | st.floats(low, high).map(lambda x: max(low, round(x, 2)))


@st.composite
def studies(draw: st.DrawFn) -> tuple[GapOptions, TrainingData]:
    """Options of a fit and the elements and groups that they are for."""
    elements = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=5, unique=True))
    groups = draw(st.lists(_NAMES, min_size=1, max_size=25, unique=True))
    of_groups = st.fixed_dictionaries(dict.fromkeys(groups, st.integers(1, 2000)))
    n_sparse = st.integers(1, 20_000) | of_groups
    common = {"n_sparse": n_sparse, "delta": _between(0.001, 10)}
    smooth = {"cutoff": _between(2.5, 8), "cutoff_transition_width": _between(0.3, 1.5)} | common
    kinds = {
        "distance_2b": smooth | {"theta_uniform": _between(0.3, 2)},
        "angle_3b": smooth | {"theta_fac": _between(0.1, 3)},
        "soap": smooth | {"atom_sigma": _between(0.2, 0.8), "n_max": st.integers(1, 12)},
        "soap_turbo": common
        | {"rcut_hard": _between(2.5, 8), "rcut_width": _between(0.3, 1.5)}
        | {f"atom_sigma_{k}": _between(0.2, 0.8) for k in "rt"}
        | {f"atom_sigma_{k}_scaling": _between(0, 0.3) for k in "rt"}
        | {"amplitude_scaling": _between(0, 2), "central_weight": _between(0.1, 2)},
    }
    entries = st.sampled_from(sorted(kinds)).flatmap(
        lambda kind: st.fixed_dictionaries({kind: st.fixed_dictionaries(kinds[kind])})
    )
    sigma = _between(0.001, 0.5) | st.fixed_dictionaries(dict.fromkeys(groups, _between(0.001, 0.5)))
    options = GapOptions.model_validate(
        {
            "descriptors": draw(st.lists(entries, min_size=1, max_size=4)),
            "e0": {e: draw(st.floats(-1e5, 1e5)) for e in elements},
            **{f"sigma_{kind}": draw(sigma) for kind in ("energy", "force", "virial")},
        }
    )
    frame = Frame(Atoms(elements, pbc=False), 0.0, None, None, groups[0])
    return options, TrainingData((frame,), (-1,), tuple(sorted(elements)), tuple(sorted(groups)))


def _n_descriptors(options: GapOptions, n: int) -> int:
    """Pairs, triplets and central species of n elements."""
    counts = {"distance_2b": n * (n + 1) // 2, "angle_3b": n * n * (n + 1) // 2}
    return sum(counts.get(entry.kind, n) for entry in options.descriptors)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(studies())
def test_gap_fit_reads_what_was_meant(tmp_path: Path, study: tuple[GapOptions, TrainingData]) -> None:
    options, data = study
    n_descriptors = _n_descriptors(options, len(data.elements))
    # Nothing that five elements and all four kinds of descriptors need, with a number of sparse points each.
    several = any(isinstance(entry.chosen.n_sparse, dict) for entry in options.descriptors)
    with suppress(InputError) if n_descriptors > (60 if several else 100) else nullcontext():
        plan = Plan.make(FitRequest(options, data, tmp_path), data)
        _check_read(plan, n_descriptors, tmp_path)


def _check_read(plan: Plan, n_descriptors: int, folder: Path) -> None:
    options, elements = plan.options, tuple(plan.e0)
    arguments = plan.arguments("train.xyz")
    write_settings(folder / "settings", arguments)
    read = read_settings(read_file((folder / "settings").read_text(encoding="utf-8")))
    # Each argument by itself is short enough that nothing is lost.
    assert read == {k: v for a in arguments for k, v in read_settings(a).items()}
    assert [float(v) for v in read["e0"].split(":")[1::2]] == [plan.e0[e] for e in elements]
    found = read_descriptors(read["gap"])
    assert len(found) == n_descriptors == len(plan.descriptors)
    place = iter(found)
    for entry in options.descriptors:
        own = [next(place) for _ in range(_n_descriptors(GapOptions(descriptors=[entry]), len(elements)))]
        for values in own:
            _check_descriptor(values, entry.kind, entry.chosen.model_dump(), elements, plan.names)


def _check_descriptor(
    found: dict[str, str], kind: str, given: dict[str, Any], elements: tuple[str, ...], names: dict[str, str]
) -> None:
    assert next(iter(found)) == kind
    for key, value in given.items():
        if isinstance(value, int | float) and key in found:
            assert [float(word) for word in found[key].split()] == [value] * len(found[key].split())
    if isinstance(given["n_sparse"], dict):
        words = found["config_type_n_sparse"].replace(":", " ").split()
        assert dict(zip(words[::2], map(int, words[1::2]), strict=True)) == {
            names[group]: n for group, n in given["n_sparse"].items()
        }
    if "species_Z" in found:
        assert sorted(map(int, found["species_Z"].split())) == sorted(atomic_numbers[e] for e in elements)
        assert int(found["n_species"]) == len(elements)


@pytest.mark.parametrize("multiple", [1, 2, 3, 10])
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_blank_at_each_multiple_of_the_buffer(tmp_path: Path, multiple: int, shift: int) -> None:
    """One long line, as it was written once, loses the blank; ours does not."""
    filler = "f0=0.00000000000000 " * (multiple * PIECE // 20)
    argument = "gap={" + filler
    argument = argument[: multiple * PIECE - 1 + shift].rstrip(" ").ljust(multiple * PIECE - 1 + shift, "0")
    argument += " delta=0.5}"
    if shift == 0:
        assert "delta=0.5" not in read_settings(read_file(argument))["gap"].split()
    write_settings(tmp_path / "settings", [argument, "after=1"])
    text = (tmp_path / "settings").read_text()
    assert read_settings(read_file(text)) == {"gap": argument[5:-1], "after": "1"}


def test_the_model_of_the_reader_is_gap_fits(tmp_path: Path) -> None:
    """Lines of all lengths around the buffer, through gap_fit itself: it prints what it read."""
    pytest.importorskip("quippy")
    known = {"gp_file", "default_sigma", "gap"}
    for length in (*range(1020, 1028), *range(2045, 2051)):
        word = "a" * (length - len("gp_file= b "))
        (tmp_path / "settings").write_text(f"gp_file={word} b default_sigma={{1 1 1\n 1}} gap={{x\n\ny}}\n")
        ran = subprocess.run(
            [gap_fit_program(), "config_file=settings"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        expected = read_settings(read_file((tmp_path / "settings").read_text()))
        # It stops at the first word that it does not know: the `b`, or what it became where a blank was lost.
        unknown = next((key for key in expected if key not in known), None)
        assert re.findall(r"unknown key (\S+)", ran.stdout) == ([unknown] if unknown else []), length


@pytest.mark.slow
def test_words_and_characters_at_their_limits(tmp_path: Path) -> None:
    """More than 1,024 words, and the last lengths that gap_fit takes, through gap_fit itself."""
    pytest.importorskip("quippy")
    frame = make_frame(0, "g")
    frame.atoms.write(tmp_path / "train.xyz")
    one = (
        "distance_2b cutoff=4.0 covariance_type=ard_se delta=0.5 theta_uniform=1.0 Z1=29 Z2=29 add_species=F "
        "config_type_n_sparse={{a:1:b:2 c:3}} f0=0."
    )
    for n, length in ((200, 148), (150, 198)):
        text = descriptor_list([one.ljust(length, "0")] * n)
        check_descriptor_list(text, n)
        write_settings(
            tmp_path / "settings",
            ["at_file=train.xyz", f"gap={{{text}}}", "default_sigma={1 1 1 0}", "e0=0.0", "dryrun=T"],
        )
        ran = subprocess.run(
            [gap_fit_program(), "config_file=settings"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stdout.count("Number of descriptors:") == n, ran.stdout[-2000:]
    with pytest.raises(InputError, match="201 descriptors"):
        check_descriptor_list("", 201)
    with pytest.raises(InputError, match="29,901 characters"):
        check_descriptor_list("a" * 29_901, 1)


def test_lists_by_group_have_blanks() -> None:
    entries = [f"group_{i}:{i}" for i in range(100)]
    text = by_group(entries)
    assert text.replace(" ", ":") == ":".join(entries)
    assert max(map(len, text.split())) < 200


def test_names_that_gap_fit_takes_for_numbers() -> None:
    names = safe_names(("1", "001", "1.5", "T", "nan", "-", "x" * 100, "x" * 99, "Cu", "Tb"))
    assert names == {
        "1": "group_1",
        "001": "group_001",
        "1.5": "group_1.5",
        "T": "group_T",
        "nan": "group_nan",
        "-": "group_-",
        "x" * 100: "x" * 60,
        "x" * 99: "x" * 60 + "_2",
        "Cu": "Cu",
        "Tb": "Tb",
    }
