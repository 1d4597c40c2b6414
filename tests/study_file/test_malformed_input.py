"""Mutated study files and data files: clear errors with status 2, no traceback, no hang."""

from __future__ import annotations

import contextlib
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from malformed_cases import STUDY, check_study, command, no_hang

from xpot_core.errors import InputError, XpotError

FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.integers(-3, 3),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            ".",
            "..",
            "/",
            "tune",
            "numpy-pair",
            "sobol",
            "train.xyz",
            "\x00",
            "☃",
            "-1",
            "1e999",
            "../x",
        ]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(
        st.sampled_from(["min", "max", "log", "tune", "per", "choices", "x", ""]),
        st.one_of(st.integers(-5, 5), st.text(max_size=3), st.booleans(), st.none(), st.floats()),
        max_size=4,
    ),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of every value in nested data."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


PLACES = list(places(STUDY))


@st.composite
def mutated_studies(draw: st.DrawFn) -> dict[str, Any]:
    """The study with one to three values replaced, removed, renamed or wrapped."""
    study = copy.deepcopy(STUDY)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        parent: Any = study
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                parent = parent[key]
            match draw(st.sampled_from(["replace", "replace", "remove", "rename", "wrap", "list"])):
                case "replace":
                    parent[path[-1]] = draw(ODD)
                case "remove":
                    del parent[path[-1]]
                case "rename" if isinstance(parent, dict):
                    parent[draw(st.text(max_size=6))] = parent.pop(path[-1])
                case "wrap":
                    parent[path[-1]] = {draw(st.text(max_size=4)): parent[path[-1]]}
                case _:
                    parent[path[-1]] = [parent[path[-1]]]
    return study


@FUZZ
@given(raw=mutated_studies())
def test_mutated_studies_give_input_errors_only(place: Path, raw: dict[str, Any]) -> None:
    with no_hang(20), contextlib.suppress(InputError):
        check_study(raw, place)


@settings(FUZZ, max_examples=40)
@given(raw=mutated_studies())
def test_mutated_study_files_through_the_command_line(place: Path, raw: dict[str, Any]) -> None:
    path = place / "mutated.yaml"
    try:
        text = yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)
    except (yaml.YAMLError, ValueError):
        return
    path.write_text(text, encoding="utf-8", errors="replace")
    command("doctor", path, "--no-fit", "--runs", place / "runs")


@settings(FUZZ, max_examples=100)
@given(data=st.data())
def test_mutated_text_of_study_files(place: Path, data: st.DataObject) -> None:
    text = bytearray(yaml.safe_dump(STUDY, sort_keys=False).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.sampled_from(["byte", "cut", "drop", "insert"])):
            case "byte":
                text[at] = data.draw(st.integers(0, 255))
            case "cut" if at > 20:
                del text[at:]
            case "drop":
                del text[at : at + data.draw(st.integers(1, 30))]
            case _:
                text[at:at] = data.draw(
                    st.sampled_from(
                        [b"{", b"]", b": ", b"\t", b"- ", b"&a ", b"*a", b"!!x ", b"'", b"|", b"\xff"]
                    )
                )
        if not text:
            break
    path = place / "bytes.yaml"
    path.write_bytes(bytes(text))
    command("doctor", path, "--no-fit", "--runs", place / "runs")


@settings(FUZZ, max_examples=40)
@given(override=st.text(max_size=30))
def test_odd_overrides(place: Path, override: str) -> None:
    path = place / "good.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    if "=" not in override:
        override = f"{override}=1"
    command("doctor", path, "--no-fit", "--runs", place / "runs", "--set", override)


# -- data files ------------------------------------------------------------------------------------


def mutated_xyz(text: str, rng: random.Random) -> bytes:
    """Extended XYZ with lines, fields or bytes changed."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(lines))
        match rng.randrange(8):
            case 0:
                del lines[i]
            case 1:
                lines.insert(
                    i, rng.choice(["", "Ar", "4", "Ar 1 2", "Ar a b c 0 0 0", "-1", "99999999999", "0"])
                )
            case 2:
                fields = lines[i].split()
                if fields:
                    fields[rng.randrange(len(fields))] = rng.choice(
                        ["nan", "inf", "x", "1e400", "", "Xx", "-", "T"]
                    )
                lines[i] = " ".join(fields)
            case 3:
                lines = lines[: max(i, 1)]
            case 4:
                lines[i] = lines[i].replace("REF_", rng.choice(["", "DFT_", "REF_REF_"]))
            case 5:
                lines[i] = lines[i].replace(
                    "Properties=species:S:1:pos:R:3",
                    rng.choice(
                        [
                            "Properties=",
                            "Properties=pos:R:3",
                            "Properties=species:S:1:pos:I:3",
                            "Properties=species:S:9",
                        ]
                    ),
                )
            case 6:
                lines[i] = lines[i].replace(
                    'Lattice="', rng.choice(['Lattice="0 0 0 ', 'Lattice="a ', "Lattice=", 'Lattice="1e300 '])
                )
            case _:
                lines[i] = lines[i][: len(lines[i]) // 2]
        if not lines:
            break
    raw = bytearray(("\n".join(lines) + "\n").encode())
    if rng.random() < 0.2 and raw:
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


@pytest.mark.parametrize("block", range(5))
@pytest.mark.filterwarnings("ignore")
def test_mutated_extxyz_files(place: Path, block: int) -> None:
    """200 in all."""
    text = (place / "train.xyz").read_text()
    name = f"mutated-{block}.xyz"
    for seed in range(40 * block, 40 * (block + 1)):
        (place / name).write_bytes(mutated_xyz(text, random.Random(seed)))
        raw = {**copy.deepcopy(STUDY), "data": {**STUDY["data"], "train": name}}
        try:
            with no_hang(20), contextlib.suppress(InputError):
                check_study(raw, place)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.filterwarnings("ignore")
def test_mutated_extxyz_through_the_command_line(place: Path) -> None:
    text = (place / "train.xyz").read_text()
    path = place / "xyz.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "data": {**STUDY["data"], "train": "cli.xyz"}}))
    seen = set()
    for seed in range(1000, 1020):
        (place / "cli.xyz").write_bytes(mutated_xyz(text, random.Random(seed)))
        status, _ = command("doctor", path, "--no-fit", "--runs", place / "runs")
        seen.add(status)
    assert 2 in seen, "no mutation was noticed"


def test_errors_are_ours(place: Path) -> None:
    """The corpus would prove nothing if the good study failed too."""
    check_study(copy.deepcopy(STUDY), place)
    with pytest.raises(XpotError):
        check_study({**STUDY, "seed": "x"}, place)
