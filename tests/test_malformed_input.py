"""Mutated study files, data files and stores: clear errors with status 2, no traceback, no hang."""

from __future__ import annotations

import contextlib
import copy
import io
import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xpot_core.cli import _run
from xpot_core.config import study_from_dict
from xpot_core.data import load_dataset
from xpot_core.errors import InputError, XpotError
from xpot_core.registry import load_registry
from xpot_core.space_reader import build_space

FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


class Hang(BaseException):
    """No `except Exception` may swallow it."""


@contextlib.contextmanager
def no_hang(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def stop(signum: int, frame: Any) -> None:
        raise Hang(f"no answer in {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def command(*arguments: object, statuses: tuple[int, ...] = (0, 1, 2)) -> tuple[int, str]:
    """Run a command in this process: its status and all that it says."""
    out = io.StringIO()
    with no_hang(20), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = _run([str(a) for a in arguments], debug=False)
    text = out.getvalue()
    assert status in statuses, f"status {status}: {text}"
    assert "Traceback" not in text, text
    assert "fault of xpot" not in text, text
    if status == 2:
        assert "error:" in text.lower() or "usage" in text.lower(), text
    return status, text


STUDY: dict[str, Any] = {
    "study": "argon",
    "data": {
        "train": "train.xyz",
        "validation": {"kfold": 3, "seed": 1, "stratify": True},
        "test": ["test.xyz"],
        "keys": {"energy": "REF_energy", "forces": "REF_forces", "virial": "REF_virial"},
        "group_by": "config_type",
        "reference_energies": {"Ar": 0.0},
    },
    "fitter": {
        "numpy-pair": {
            "cutoff": {"min": 4.0, "max": 6.5},
            "widths": [{"min": 0.3, "max": 0.6}, "tune"],
            "n_basis": 4,
            "energy_weight": {"tune": True, "per": "group"},
            "force_weight": {"cold": 100, "hot": {"min": 1, "max": 1000, "log": True}},
        }
    },
    "loss": {"energy-force": {"alpha": 0.8, "measure": "rmse", "group_weights": {"hot": 2.0}}},
    "optimizer": {"grid": {"levels": 3, "order": "shuffled"}},
    "budget": {"trials": 2, "time": "2h", "failures": 3},
    "limits": {"time": "5min", "memory": "4GB"},
    "executor": {"serial": {"threads": 1}},
    "plugins": [],
    "seed": 7,
}

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


@pytest.fixture(scope="module")
def place(argon_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data for many examples."""
    folder = tmp_path_factory.mktemp("malformed")
    for name in ("train.xyz", "test.xyz"):
        shutil.copy(argon_source / name, folder / name)
    return folder


def check_study(raw: Any, place: Path) -> None:
    """All that happens to a study file before the first trial."""
    study = study_from_dict(raw, place)
    registry = load_registry([study.resolve(p) for p in study.config.plugins])
    name = study.config.name_of("fitter")
    provider = registry.provider("fitter", name)
    for kind in ("loss", "optimizer", "executor"):
        registry.create(kind, *next(iter(getattr(study.config, kind).items())))  # type: ignore[arg-type]
    data = load_dataset(study).data
    build_space(provider.options, study.config.fitter[name], groups=data.groups, elements=data.elements)


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


# -- stores ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished_study(place: Path) -> Path:
    """A study that has run."""
    path = place / "good.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "study": "stored"}))
    assert command("run", path, "--quiet", "--runs", place / "runs")[0] == 0
    return place / "runs" / "stored"


def damage(path: Path, rng: random.Random) -> None:
    """One damage to an SQLite file: bytes, truncation, or content that is no longer ours."""
    content = bytearray(path.read_bytes())
    kind = rng.randrange(4)
    if kind == 0:
        for _ in range(rng.choice([1, 20, 500])):
            content[rng.randrange(len(content))] = rng.randrange(256)
    elif kind == 1:
        content = content[: rng.randrange(len(content))]
    elif kind == 2:
        start = rng.randrange(len(content))
        content[start : start + 512] = bytes(512)
    else:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(
                rng.choice(
                    [
                        "DROP TABLE trials",
                        "DROP TABLE meta",
                        "DROP TABLE lease",
                        "UPDATE trials SET state = 'SLEEPING'",
                        "UPDATE trials SET result = '{'",
                        "UPDATE trials SET result = '[]'",
                        "UPDATE trials SET result = '{\"errors\": 3}'",
                        "UPDATE trials SET \"values\" = 'null'",
                        "UPDATE trials SET loss = 'low'",
                        "UPDATE meta SET value = 'x'",
                        "DELETE FROM meta",
                        "DELETE FROM meta WHERE key = 'study'",
                        "UPDATE meta SET value = '{}' WHERE key = 'study'",
                        "UPDATE meta SET value = '[1, 2]' WHERE key = 'versions'",
                        "UPDATE meta SET value = '{\"trial\": 0}' WHERE key = 'final'",
                        "UPDATE meta SET value = '17' WHERE key = 'schema'",
                        "ALTER TABLE trials RENAME COLUMN loss TO gain",
                    ]
                )
            )
            db.commit()
        return
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("block", range(4))
def test_damaged_stores(finished_study: Path, block: int) -> None:
    """200 in all: shown as far as they can be read, or refused with status 2."""
    copied = finished_study.parent / f"damaged-{block}"
    statuses = []
    for seed in range(50 * block, 50 * (block + 1)):
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(finished_study, copied)
        damage(copied / "study.sqlite", random.Random(seed))
        try:
            status, _ = command("show", copied, *(["--json"] if seed % 2 else []))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        statuses.append(status)
    assert {0, 2} & set(statuses)
    assert 1 not in statuses, "a damaged file is wrong input"


def test_run_on_a_damaged_store_is_refused(place: Path, finished_study: Path) -> None:
    path = place / "good.yaml"
    broken = place / "broken-runs"
    shutil.copytree(finished_study, broken / "stored")
    (broken / "stored/study.sqlite").write_bytes(b"not a data base at all\n" * 100)
    status, text = command("run", path, "--runs", broken)
    assert status == 2
    assert "study.sqlite" in text
    assert "not a study store" in text


def test_errors_are_ours(place: Path) -> None:
    """The corpus would prove nothing if the good study failed too."""
    check_study(copy.deepcopy(STUDY), place)
    with pytest.raises(XpotError):
        check_study({**STUDY, "seed": "x"}, place)
