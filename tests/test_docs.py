"""The documentation keeps up with the code: entries for everything, examples that work."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from xpot_core import api
from xpot_core.cli.group import cli
from xpot_core.data.dataset import load_dataset
from xpot_core.options.check import validate_options
from xpot_core.options.declare import option_info
from xpot_core.plugins.interfaces.provider import KINDS
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.results.read import StudyResults
from xpot_core.space.read import build_space
from xpot_core.study_file.read import parse_yaml, read_study
from xpot_core.study_file.schema import DataConfig, StudyConfig

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"_build", "generated"} & set(p.parts))
GROUPS = ("bulk", "liquid", "strain")


sys.path.insert(0, str(DOCS / "_ext"))
reference: Any = importlib.import_module("xpot_reference")
tables: Any = importlib.import_module("option_tables")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture(scope="module")
def pages(registry: Registry) -> dict[str, str]:
    found: dict[str, str] = reference.reference_pages(registry)
    return found


def _section(page: str, heading: str) -> str:
    """The text below a heading of the second level."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert match is not None, f"no section '{heading}'"
    return match[1]


def _blocks(language: str) -> Iterator[Any]:
    """Fenced code of a language on all pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text[: match.start()].count("\n") + 1
            yield pytest.param(match[1], id=f"{page.relative_to(DOCS)}:{line}")


# -- entries -----------------------------------------------------------------------------------------


def test_every_provider_and_option_has_its_entry(registry: Registry, pages: dict[str, str]) -> None:
    titles = {"loss": "losses.md"}
    for kind in KINDS:
        for name in registry.names(kind):
            section = _section(pages[titles.get(kind, f"{kind}s.md")], f"`{name}`")
            _check_model(registry.provider(kind, name).options, section, name, searched=kind == "fitter")


def _check_model(model: Any, section: str, name: str, *, searched: bool, path: str = "") -> None:
    """Row, type, unit, default, range, expansion, stage and meaning of every option, nested ones included."""
    table = section
    if path:
        table = section.split(f"### `{path.removesuffix('.')}` of `{name}`\n", 1)[1]
    table = table.split("\n###", 1)[0]
    for key, field in model.model_fields.items():
        rows = [r for r in table.splitlines() if r.startswith(f"| `{key}`<br>")]
        assert len(rows) == 1, f"{name}: {path}{key} has {len(rows)} rows"
        info = option_info(field)
        expected = [info.unit or "", *((*info.per, info.stage or "", info.role or "") if searched else ())]
        if searched and info.tune is not None:
            expected += [f"{info.tune.min:g} to {info.tune.max:g}", "(log)" if info.tune.log else ""]
        expected.append(tables.cell(field.description))
        for text in expected:
            assert text in rows[0], f"{name}: {path}{key} does not say {text!r}: {rows[0]}"
        inner, is_list = tables.inner_model(field)
        if inner is not None:
            inside = f"{path}{key}{'[]' if is_list else ''}."
            _check_model(inner, section, name, searched=searched, path=inside)


def test_every_hook_has_its_entry(pages: dict[str, str]) -> None:
    specs = [name for name, value in vars(reference.hookspecs).items() if hasattr(value, "xpot_spec")]
    guide = (DOCS / "plugins" / "hooks.md").read_text(encoding="utf-8")
    assert specs
    for name in specs:
        section = _section(pages["hooks.md"], f"`{name}`")
        assert f"{name}(" in section
        for argument in inspect.signature(getattr(reference.hookspecs, name)).parameters:
            assert f"{argument}: " in section
        assert "Mode: " in section
        assert f"`{name}`" in guide, f"docs/plugins/hooks.md does not mention {name}"


def test_every_command_and_option_has_its_entry(pages: dict[str, str]) -> None:
    names = []
    for name, command in reference.commands():
        section = _section(pages["commands.md"], f"`{name}`")
        names.append(name)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[-1] in section, f"{name} {parameter.opts[-1]}"
    assert {f"xpot {n}" for n in reference.cli.COMMANDS} <= set(names)


def test_every_key_of_the_study_file_has_its_entry(pages: dict[str, str]) -> None:
    guide = (DOCS / "guide" / "study-file.md").read_text(encoding="utf-8")
    for name, field in StudyConfig.model_fields.items():
        key = field.alias or name
        assert f"| `{key}`<br>" in pages["study-keys.md"]
        assert f"| `{key}` |" in guide, f"docs/guide/study-file.md does not mention {key}"
    for declared in _leaf_keys(StudyConfig):
        assert f"| `{declared}`<br>" in pages["study-keys.md"]


def _leaf_keys(model: Any) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner, _ = tables.inner_model(field)
        if inner is not None:
            yield from _leaf_keys(inner)
        else:
            yield field.alias or name


def test_everything_that_plugins_import_has_its_entry(pages: dict[str, str]) -> None:
    for name in api.__all__:
        assert re.search(rf":: xpot_core\.api\.{name}(\(\))?$", pages["api.md"], re.MULTILINE), name


def test_every_rule_of_the_kit_has_its_entry(pages: dict[str, str]) -> None:
    assert reference.contracts()
    for contract_name, contract in reference.contracts().items():
        section = _section(pages["contracts.md"], f"`{contract_name}`")
        for name in dir(contract):
            if name.startswith("test_"):
                assert f"| `{name.removeprefix('test_')}` | " in section


def test_guides_name_what_can_be_installed(registry: Registry) -> None:
    install = (DOCS / "install.md").read_text(encoding="utf-8")
    for project in (*ROOT.glob("plugins/*/pyproject.toml"), *ROOT.glob("libraries/*/pyproject.toml")):
        name = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["name"]
        assert f"`{name}`" in install, f"docs/install.md does not mention {name}"
    for kind, page in (("optimizer", "optimizers"), ("executor", "running"), ("loss", "loss")):
        text = (DOCS / "guide" / f"{page}.md").read_text(encoding="utf-8")
        for name in registry.names(kind):  # type: ignore[arg-type]
            assert f"`{name}`" in text, f"docs/guide/{page}.md does not mention {kind} {name}"


def test_pages_are_written_once_and_stale_ones_removed(tmp_path: Path) -> None:
    (tmp_path / "stale.md").write_text("old")
    reference.write_pages(tmp_path)
    written = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    assert "stale.md" not in written
    reference.write_pages(tmp_path)
    assert written == {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}


# -- fragments on the pages --------------------------------------------------------------------------


@pytest.mark.parametrize("text", list(_blocks("yaml")))
def test_yaml_is_valid(text: str) -> None:
    """Whole study files and single blocks, in which groups may have any name."""
    content = parse_yaml(text)
    files = [EXAMPLES / name for name in content.get("plugins", [])]
    registry = load_registry(files)
    study = {"study": "fragment", "data": {"train": "train.xyz"}, "fitter": "numpy-pair", **content}
    config = StudyConfig.model_validate(study)
    if "data" in content:
        DataConfig.model_validate(content["data"])
    for kind in ("loss", "optimizer", "executor", "fitter"):
        ((name, options),) = getattr(config, kind).items()
        if name not in registry.names(kind):  # type: ignore[arg-type]
            pytest.skip(f"{kind} {name} is not installed")
        model = registry.provider(kind, name).options  # type: ignore[arg-type]
        if kind == "fitter":
            build_space(model, options, groups=GROUPS, elements=("Si",))
        else:
            validate_options(model, options)


@pytest.mark.parametrize("text", list(_blocks("python")))
def test_python_compiles(text: str) -> None:
    compile(text, "docs", "exec")


def _command_lines() -> Iterator[Any]:
    for block in _blocks(""):
        for line in block.values[0].splitlines():
            words = re.split(r"\s{2,}#|\s#\s", line)[0]
            if words.startswith("xpot ") and "..." not in words:
                yield pytest.param(words, id=f"{block.id} {words[:50]}")


@pytest.mark.parametrize("line", list(_command_lines()))
def test_command_lines_parse(line: str) -> None:
    words = shlex.split(re.split(r" [|>] ", line)[0])[1:]  # what a shell does with the output is its own
    name, command, rest = cli.resolve_command(click.Context(cli), words)
    assert command is not None
    command.make_context(name, rest, resilient_parsing=False)


def test_links_to_headings_and_files_exist() -> None:
    """Sphinx checks links between pages; this checks the files that pages speak of."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`((?:docs|examples|tests|xpot_core)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), f"{page.relative_to(ROOT)} speaks of {name}"


# -- docs/examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.name)
def test_study_files_are_valid(path: Path) -> None:
    study = read_study(path)
    if path.name in ("argon.yaml", "copper-gap.yaml"):
        pytest.skip("its data are made where it is run: below, and with the tutorials")
    ((name, options),) = study.config.fitter.items()
    registry = load_registry()
    if name not in registry.names("fitter"):
        pytest.skip(f"fitter {name} is not installed")
    data = load_dataset(study).data
    model = registry.provider("fitter", name).options
    space = build_space(model, options, groups=data.groups, elements=data.elements)
    validate_options(model, space.options(space.from_unit([0.3] * len(space))))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The packages of the guide as pip would install them, with the other examples beside them."""
    folder = tmp_path_factory.mktemp("examples")
    for project in (EXAMPLES / "xpot-mie", EXAMPLES / "xpot-pair"):
        facts = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        site, name, version = folder / "site", facts["name"], facts["version"]
        package = name.replace("-", "_")
        shutil.copytree(project / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
        info = site / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        points = [f"{k} = {v}" for k, v in facts["entry-points"]["xpot"].items()]
        (info / "entry_points.txt").write_text("\n".join(["[xpot]", *points, ""]))
    for path in EXAMPLES.glob("*.*"):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}
    return folder, environment


def _run(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plugins_of_the_author_guide_run(installed: tuple[Path, dict[str, str]]) -> None:
    """The package, and all one-file plugins together, in one study."""
    folder, environment = installed
    runpy.run_path(str(EXAMPLES / "make_argon.py"))["write_data"](folder)
    xpot = "import sys; from xpot_core.cli import main; main(sys.argv[1:])"
    overrides = [
        "plugins=[worst_group.py, near_best.py, trial_log.py]",
        "loss={worst-group: {alpha: 0.8}}",
        "optimizer={near-best: {initial: 1}}",
        "start_with=[]",
        "data.validation={fraction: 0.2}",
    ]
    sets = [word for override in overrides for word in ("--set", override)]
    _run(["-c", xpot, "run", "argon.yaml", "--trials", "2", "--quiet", *sets], folder, environment)
    results = StudyResults.open(folder / "runs" / "argon").to_json()
    assert results["fitter"] == "mie"
    assert [t["state"] for t in results["trials"]] == ["COMPLETE"] * 2
    best = results["trials"][results["best"]]
    assert set(best["parts"]) == {"cold", "hot"}
    assert best["loss"] == max(best["parts"].values())
    run = folder / "runs" / "argon"
    assert len((run / "trials.log").read_text().splitlines()) == 2
    assert (run / "best" / "wall_time.txt").read_text().startswith("mie ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mie", "pair"])
def test_package_of_the_author_guide_keeps_the_contract(
    name: str, installed: tuple[Path, dict[str, str]]
) -> None:
    folder, environment = installed
    tests = ["--rootdir", str(folder), str(EXAMPLES / f"xpot-{name}" / "tests")]
    _run(["-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], folder, environment)
    check = f"import sys; from xpot_core.cli import main; main(['plugins', 'check', '{name}'])"
    assert "FAIL" not in _run(["-c", check], folder, environment)


@pytest.mark.slow
def test_optimizer_of_the_author_guide_keeps_the_contract() -> None:
    from xpot_core.testing.contracts.optimizer import OptimizerContract

    class NearBest(OptimizerContract):
        def component(self) -> Any:
            return load_registry([EXAMPLES / "near_best.py"]).create("optimizer", "near-best", {"initial": 6})

    rules = [name for name in vars(OptimizerContract) if name.startswith("test_")]
    assert rules
    for rule in rules:
        getattr(NearBest(), rule)()


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("furo")
    command = ["-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    _run(command, ROOT, dict(os.environ))
    for page in tmp_path.rglob("*.html"):
        found = re.search(r"<(?:script|link)[^>]+(?:src|href)=\"https?:", page.read_text(encoding="utf-8"))
        assert found is None, f"{page.name} loads something from the network"
