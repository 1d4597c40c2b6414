"""The study file: numbers, keys, overrides, amounts, and errors with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_cases import Make

from xpot_core.errors import InputError
from xpot_core.study_file.read import line_of, parse_yaml, read_study, study_from_dict
from xpot_core.study_file.schema import StudyConfig


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0e5", 1e5),
        ("1e5", 1e5),
        ("1E-3", 1e-3),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("7", 7),
        ("0.994", 0.994),
        ("true", True),
        ("False", False),
        ("No", "No"),  # nobelium
        ("yes", "yes"),
        ("on", "on"),
        ("Y", "Y"),
        ("null", None),
        ("~", None),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("'1e5'", "1e5"),
    ],
)
def test_scalars_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse_yaml(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_element_symbols_are_text_as_keys_and_values() -> None:
    assert parse_yaml("{No: 1, Y: 2, N: 3}") == {"No": 1, "Y": 2, "N": 3}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, "stands twice"),
        ("a:\n  x: 1\n  x: 2", 3, "stands twice"),
        ("a: 1\n b: 2", 2, "not valid YAML"),
        ("a: [1, 2", 1, "not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']", 1, "not valid YAML"),
        ("a: !foo 1", 1, "not valid YAML"),
        ("a: *b", 1, "not valid YAML"),
        ("? [1, 2]\n: 3", 1, "key must be text"),
        ("\tx: 1", 1, "not valid YAML"),
    ],
)
def test_broken_yaml_has_a_line(text: str, line: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_yaml(text)
    assert caught.value.line == line
    assert caught.value.remedy


def test_a_key_that_is_written_takes_the_place_of_a_merged_one() -> None:
    text = "base: &b {x: 1, y: 2}\nfirst:\n  x: 3\n  <<: *b\nlast:\n  <<: [{y: 4}, *b]\n  x: 5\n"
    found = parse_yaml(text)
    assert (found["first"], found["last"]) == ({"x": 3, "y": 2}, {"x": 5, "y": 4})
    with pytest.raises(InputError, match="stands twice"):
        parse_yaml(text + "  x: 6\n")


def test_depth_and_odd_bytes_are_input_errors(folder: Path) -> None:
    with pytest.raises(InputError):
        parse_yaml("[" * 5000)
    (folder / "binary.yaml").write_bytes(b"study: \xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read") as caught:
        read_study(folder / "binary.yaml")
    assert caught.value.file == folder / "binary.yaml"
    with pytest.raises(InputError, match="is a directory"):
        read_study(folder)


def test_missing_file_names_the_remedy() -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        read_study("nowhere.yaml")
    assert "xpot init" in (caught.value.remedy or "")


def test_line_of_finds_the_deepest_key_that_stands_there() -> None:
    text = (
        "study: a\nfitter:\n  gap:\n    descriptors:\n      - soap: {cutoff: 3}\n"
        "      - pair:\n          cutoff: 4\n"
    )
    assert line_of(text, "fitter.gap.descriptors.1.pair.cutoff") == 7
    assert line_of(text, "fitter.gap.descriptors.0.soap.zeta") == 5
    assert line_of(text, "loss") is None
    assert line_of("group_weights:\n  v1.2 melt: 3\n", "group_weights.v1.2 melt") == 2
    assert line_of("a: [", "a") is None


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"studdy": 1}, "studdy", "did you mean 'study'?"),
    ({"data": {"train": "a", "tets": "b"}}, "data.tets", "did you mean 'test'?"),
    ({"budget": {"trials": "many"}}, "budget.trials", "Number of finished trials"),
    ({"budget": {"trials": 0}}, "budget.trials", "Number of finished trials"),
    ({"budget": {"time": "soon"}}, "budget.time", "Wall time"),
    ({"limits": {"memory": "4 elephants"}}, "limits.memory", "Most memory"),
    ({"seed": -1}, "seed", "Seed"),
    ({"seed": True}, "seed", "Seed"),
    ({"seed": "7"}, "seed", "Seed"),
    ({"data": {"train": "a", "validation": []}}, "data.validation.file", "external validation set"),
    (
        {"data": {"train": "a", "reference_energies": {"Ar": float("nan")}}},
        "data.reference_energies.Ar",
        "Energy",
    ),
    ({"optimizer": ["sobol"]}, "optimizer", "proposes"),
    ({"optimizer": {"sobol": {}, "grid": {}}}, "optimizer", "proposes"),
    ({"study": "../evil"}, "study", "letters"),
    ({"study": ""}, "study", "letters"),
    ({"study": 5}, "study", "Name of the study"),
    ({"data": {"train": "a", "validation": {"kfold": 3, "fraction": 0.1}}}, "data.validation", "kfold: 5"),
    ({"data": {"train": "a", "validation": {}}}, "data.validation", "kfold: 5"),
    ({"data": {"train": "a", "validation": {"kfold": 1}}}, "data.validation.kfold", "folds"),
    ({"data": {"train": "a", "validation": {"fraction": 1.5}}}, "data.validation.fraction", "held out"),
    ({"data": {"validation": {"kfold": 3}}}, "data.train", "Training file"),
    ({"data": None}, "data", ""),
    ({"fitter": None}, "fitter", ""),
    ({"plugins": 3}, "plugins", "Python files"),
]


@pytest.mark.parametrize(
    ("changes", "key", "remedy"), WRONG, ids=[w[1] + str(i) for i, w in enumerate(WRONG)]
)
def test_wrong_keys_and_values(
    study: Make, raw: dict[str, Any], changes: dict[str, Any], key: str, remedy: str
) -> None:
    path = study(changes)
    with pytest.raises(InputError) as caught:
        read_study(path)
    assert caught.value.key == key
    assert caught.value.file == path
    assert remedy in (caught.value.remedy or "")
    if key.split(".")[0] in changes and changes[key.split(".")[0]] is not None:
        assert caught.value.line, str(caught.value)


def test_the_line_is_that_of_the_key(folder: Path) -> None:
    (folder / "s.yaml").write_text(
        "study: a\ndata: {train: t.xyz}\nfitter: x\n\nbudget:\n  trials: 3\n  tims: 2h\n"
    )
    with pytest.raises(InputError) as caught:
        read_study(folder / "s.yaml")
    assert caught.value.line == 7
    assert str(caught.value).startswith(f"{folder / 's.yaml'}:7: budget.tims: unknown key")


@pytest.mark.parametrize("text", ["", "[]", "3", "study", "- a", "null"])
def test_not_a_mapping(folder: Path, text: str) -> None:
    (folder / "s.yaml").write_text(text)
    with pytest.raises(InputError, match="must be a mapping"):
        read_study(folder / "s.yaml")


# -- overrides -------------------------------------------------------------------------------------


def test_overrides_of_nested_keys_list_items_and_shorthands(study: Make) -> None:
    path = study({"optimizer": "grid"})
    file = read_study(
        path,
        [
            "budget.trials=9",
            "fitter.numpy-pair.widths.0=0.55",
            "fitter.numpy-pair.cutoff={min: 3, max: 1e1}",
            "optimizer.grid.levels=3",
            "loss.energy-force.alpha=1",
            "limits.memory=2GB",
            "data.keys.virial=null",
            "study=renamed",
        ],
    )
    options = file.config.fitter["numpy-pair"]
    assert file.config.budget.trials == 9
    assert options["widths"] == [0.55, 0.8]
    assert options["cutoff"] == {"min": 3, "max": 10.0}
    assert file.config.optimizer == {"grid": {"levels": 3}}
    assert file.config.limits.memory == 2_000_000_000
    assert file.config.data.keys.virial is None
    assert file.config.study == "renamed"


def test_override_of_a_whole_provider(study: Make) -> None:
    assert read_study(study(), ["optimizer=random"]).config.name_of("optimizer") == "random"
    assert read_study(study(), ["executor={local: {workers: 3}}"]).config.executor == {
        "local": {"workers": 3}
    }


@pytest.mark.parametrize(
    "override",
    [
        "budget.trials",
        "=3",
        "",
        "study.name=3",
        "fitter.numpy-pair.widths.7=1",
        "fitter.numpy-pair.widths.x=1",
        "budget.trials=[",
        "seed.a.b=1",
    ],
)
def test_wrong_overrides_are_input_errors(study: Make, override: str) -> None:
    with pytest.raises(InputError) as caught:
        read_study(study(), [override])
    assert caught.value.remedy
    if caught.value.key == "--set":
        assert caught.value.value == override
        assert caught.value.file is None, "the study file is blamed for the command line"


# -- amounts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15min", 900),
        ("2h", 7200),
        ("1d", 86400),
        ("1h 30min", 5400),
        ("1.5h", 5400),
        (42, 42),
        ("42", 42),
        ("2 h", 7200),
        ("1H", 3600),
        ("10m", 600),
    ],
)
def test_durations(raw: dict[str, Any], text: Any, seconds: float) -> None:
    assert study_from_dict({**raw, "budget": {"time": text}}).config.budget.time == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "2x", "2h later", "-3s", "1..5h", 0, -1, "two hours", "1h-30min", [1]]
)
def test_wrong_durations(raw: dict[str, Any], text: Any) -> None:
    with pytest.raises(InputError) as caught:
        study_from_dict({**raw, "budget": {"time": text}})
    assert caught.value.key == "budget.time"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500MB", 5e8),
        ("4GB", 4e9),
        ("4GiB", 4 * 2**30),
        ("4 gb", 4e9),
        ("1.5G", 1.5e9),
        (4_000_000_000, 4e9),
        ("7B", 7),
    ],
)
def test_memory(raw: dict[str, Any], text: Any, size: float) -> None:
    assert study_from_dict({**raw, "limits": {"memory": text}}).config.limits.memory == size


# A small number has lost its unit: 4 for 4GB.
@pytest.mark.parametrize("text", ["", "GB", "1..5GB", "4XB", 0, 4, 1.5, "0GB", "4GB more", {"a": 1}])
def test_wrong_memory(raw: dict[str, Any], text: Any) -> None:
    with pytest.raises(InputError) as caught:
        study_from_dict({**raw, "limits": {"memory": text}})
    assert caught.value.key == "limits.memory"


def test_paths_start_from_the_study_file(study: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = read_study(study())
    monkeypatch.chdir("/")
    assert file.resolve("train.xyz") == folder / "train.xyz"
    assert file.resolve("/abs/x.xyz") == Path("/abs/x.xyz")


def test_defaults_and_shorthands(raw: dict[str, Any]) -> None:
    config = study_from_dict({"study": "a", "data": {"train": "x.xyz"}, "fitter": "numpy-pair"}).config
    assert config.data.train == ["x.xyz"]
    assert config.data.validation.kfold == 5
    assert config.fitter == {"numpy-pair": {}}
    assert (config.name_of("loss"), config.name_of("optimizer"), config.name_of("executor")) == (
        "energy-force",
        "sobol",
        "serial",
    )
    external = {**raw, "data": {"train": ["a", "b"], "validation": "v.xyz", "test": ["t"]}, "validate": "md"}
    config = study_from_dict(external).config
    assert config.data.validation.file == ["v.xyz"]
    assert config.validate_with == [{"md": {}}]


def test_a_config_does_not_change(raw: dict[str, Any]) -> None:
    config = study_from_dict(raw).config
    with pytest.raises(Exception, match="frozen"):
        config.seed = 3  # type: ignore[misc]
    assert isinstance(config, StudyConfig)
