"""Plugins as they come: broken, clashing, outdated, misspelt; each contained and explained.

Each test writes tiny real distributions into a folder and starts a Python process that finds them on
its path, as it finds everything that pip installs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import FAULTY

from xpot_core.plugins.registry import load_registry

GOOD = """
from xpot_core.api import LossProvider, NoOptions, PredictorProvider, hookimpl

class Loss:
    def __init__(self, options): pass

@hookimpl
def xpot_register_losses():
    return [LossProvider("LOSS", "a loss", __name__ + ":Loss", NoOptions)]
"""

Install = Callable[..., None]


def write_plugin(
    site: Path, plugin: str, code: str, distribution: str | None = None, module: str | None = None
) -> None:
    """A distribution with one plugin module, as pip would leave it."""
    site.mkdir(exist_ok=True)
    module = module or f"plugin_{plugin.replace('-', '_')}"
    distribution = distribution or f"dist-{plugin}"
    (site / f"{module}.py").write_text(textwrap.dedent(code))
    info = site / f"{distribution.replace('-', '_')}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[xpot]\n{plugin} = {module}\n")


def run_python(site: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that sees the folder."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        cwd=site.parent,
        timeout=120,
        check=False,
    )


def list_plugins(site: Path, **environment: str) -> dict[str, dict[str, Any]]:
    """What `xpot plugins --json` says, by distribution and plugin."""
    done = run_python(site, "from xpot_core.cli import main; main(['plugins', '--json'])", **environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    for record in found:
        assert set(record) == {"plugin", "distribution", "version", "state", "kinds", "providers", "reason"}
    return {f"{r['distribution']}:{r['plugin']}": r for r in found}


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Write a distribution into the folder ``site``."""
    return lambda *a: write_plugin(tmp_path / "site", *a)


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a process that sees the folder ``site``."""
    return lambda code, **environment: run_python(tmp_path / "site", code, **environment)


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """What is installed in the folder ``site``."""
    return lambda **environment: list_plugins(tmp_path / "site", **environment)


def test_a_good_plugin(install: Install, records: Any) -> None:
    install("nice", GOOD.replace("LOSS", "nice-loss"))
    found = records()["dist-nice:nice"]
    assert (found["state"], found["version"], found["kinds"], found["providers"]) == (
        "ok",
        "1.5",
        ["loss"],
        ["nice-loss"],
    )
    assert records()["xpot-core:builtin"]["state"] == "ok"


FAULTS = {
    "raises": ("raise RuntimeError('out of coffee')", "broken", "RuntimeError: out of coffee"),
    "missing": ("import no_such_package", "broken", "No module named 'no_such_package'"),
    "syntax": ("def broken(:", "broken", "SyntaxError"),
    "exits": ("import sys; sys.exit(3)", "broken", "SystemExit: 3"),
    "outdated": (
        "xpot_api_version = 99\n" + GOOD,
        "incompatible",
        "built for hook version 99, this core has 1",
    ),
    "misspelt": (
        GOOD.replace("xpot_register_losses", "xpot_register_loss"),
        "broken",
        "unknown hook 'xpot_register_loss'; did you mean 'xpot_register_losses'?",
    ),
    "arguments": (
        "from xpot_core.api import hookimpl\n@hookimpl\ndef xpot_fit(fitter, wish): pass\n",
        "broken",
        "wish",
    ),
    "undocumented": (
        GOOD.replace("NoOptions)", "Options)").replace(
            "class Loss",
            "from xpot_core.api import OptionsModel, option\n"
            "class Options(OptionsModel):\n    a: int = option(1)\n\nclass Loss",
        ),
        "broken",
        "option 'a' has no description",
    ),
    "lenient": (
        GOOD.replace("NoOptions)", "Options)").replace(
            "class Loss", "from pydantic import BaseModel\nclass Options(BaseModel):\n    pass\n\nclass Loss"
        ),
        "broken",
        "must forbid unknown keys",
    ),
    "hook-raises": (
        "from xpot_core.api import hookimpl\n@hookimpl\ndef xpot_register_losses(): return 1 / 0\n",
        "broken",
        "xpot_register_losses failed: ZeroDivisionError",
    ),
    "no-list": (
        "from xpot_core.api import hookimpl\n@hookimpl\ndef xpot_register_losses(): return 3\n",
        "broken",
        "xpot_register_losses failed: TypeError",
    ),
    "no-provider": (
        "from xpot_core.api import hookimpl\n@hookimpl\ndef xpot_register_losses(): return ['loss']\n",
        "broken",
        "gave str instead of LossProvider",
    ),
    "needs": (
        GOOD.replace(
            "NoOptions)", "NoOptions, programs=('no_such_program',), packages=('no_such_package',))"
        ),
        "needs program",
        "program 'no_such_program', package 'no_such_package'",
    ),
    "taken": (GOOD.replace("LOSS", "energy-force"), "shadowed", "registered already by plugin 'builtin'"),
}


@pytest.fixture(scope="module")
def all_faults(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One environment with every fault, and a good plugin among them."""
    site = tmp_path_factory.mktemp("faults") / "site"
    for name, (code, _, _) in FAULTS.items():
        write_plugin(site, name, code)
    write_plugin(site, "nice", GOOD.replace("LOSS", "nice-loss"))
    return list_plugins(site)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_explained(all_faults: dict[str, dict[str, Any]], name: str) -> None:
    _, state, reason = FAULTS[name]
    record = all_faults[f"dist-{name}:{name}"]
    assert record["state"] == state
    assert reason in record["reason"]
    if state in ("broken", "incompatible"):
        assert record["providers"] == []


def test_faults_stop_nobody_else(all_faults: dict[str, dict[str, Any]]) -> None:
    assert all_faults["dist-nice:nice"]["state"] == "ok"
    assert all_faults["dist-nice:nice"]["providers"] == ["nice-loss"]
    assert all_faults["xpot-core:builtin"]["state"] == "ok"


def test_names_built_in_cannot_be_taken(install: Install, python: Any) -> None:
    install("aaa", GOOD.replace("LOSS", "energy-force"))
    done = python("""
        from xpot_core.plugins.registry import load_registry
        print(load_registry().owner('loss', 'energy-force').plugin)
    """)
    assert done.stdout.strip() == "builtin"


def test_two_plugins_of_one_name(install: Install, records: Any) -> None:
    install("same", GOOD.replace("LOSS", "one"), "dist-a", "plugin_a")
    install("same", GOOD.replace("LOSS", "two"), "dist-b", "plugin_b")
    found = records()
    states = sorted((found[f"dist-{x}:same"]["state"], found[f"dist-{x}:same"]["providers"]) for x in "ab")
    assert [s for s, _ in states] == ["ok", "shadowed"]
    assert len([p for _, providers in states for p in providers]) == 1


def test_clash_of_one_provider_leaves_the_others(install: Install, records: Any) -> None:
    install("first", GOOD.replace("LOSS", "wanted"))
    second = GOOD.replace("LOSS", "wanted").replace(
        "NoOptions)]", 'NoOptions), LossProvider("other", "o", "x:Y")]'
    )
    install("second", second)
    found = records()
    assert found["dist-first:first"]["providers"] == ["wanted"]
    assert found["dist-second:second"]["state"] == "shadowed"
    assert found["dist-second:second"]["providers"] == ["other"]


def test_a_slow_plugin_works_and_is_named(install: Install, records: Any) -> None:
    busy = "import time\nend = time.process_time() + 1.0\nwhile time.process_time() < end: pass\n"
    install("slow", busy + GOOD.replace("LOSS", "slow-loss"))
    install("nice", GOOD.replace("LOSS", "nice-loss"))
    found = records()
    assert (found["dist-slow:slow"]["state"], found["dist-slow:slow"]["providers"]) == ("ok", ["slow-loss"])
    assert "slow: its import takes 1." in found["dist-slow:slow"]["reason"]
    assert found["dist-nice:nice"]["reason"] == ""


def test_the_maker_of_a_format_evaluates_it(install: Install, python: Any) -> None:
    """A predictor of another plugin, installed later, changes nobody's numbers."""
    install(
        "aaa",
        """
        from xpot_core.api import LossProvider, PredictorProvider, hookimpl

        @hookimpl
        def xpot_register_predictors():
            return [PredictorProvider("aaa", "another", "x:Y", accepts=("numpy-pair", "only-mine"))]
    """,
    )
    done = python("""
        from xpot_core.plugins.registry import load_registry
        registry = load_registry()
        print(registry.predictor_for("numpy-pair").name)
        print(registry.predictor_for("only-mine").name)
    """)
    assert done.stdout.split() == ["numpy-pair", "aaa"]


def test_selection_by_the_environment(install: Install, records: Any) -> None:
    install("one", GOOD.replace("LOSS", "l1"))
    install("two", "raise RuntimeError('must not be imported')")
    found = records(XPOT_PLUGINS="one")
    assert found["dist-one:one"]["state"] == "ok"
    assert found["dist-two:two"]["state"] == "disabled"
    assert "XPOT_PLUGINS" in found["dist-two:two"]["reason"]
    found = records(XPOT_PLUGINS="")
    assert found["dist-one:one"]["state"] == "disabled"
    assert found["xpot-core:builtin"]["state"] == "ok"


def test_not_installed_plugins_have_their_pip_line(python: Any, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    done = python("""
        from xpot_core.cli import main
        from xpot_core.plugins.registry.catalogue import PUBLISHED
        PUBLISHED["fitter"]["nowhere"] = "xpot-nowhere"
        main(['plugins', '--json'])
    """)
    found = {r["distribution"]: r for r in json.loads(done.stdout)}
    missing = [r for r in found.values() if r["state"] == "not installed"]
    assert all(f"pip install {r['distribution']}" in r["reason"] for r in missing)
    assert found["xpot-nowhere"] in missing
    assert found["xpot-nowhere"]["reason"] == "offers nowhere: pip install xpot-nowhere"


def test_broken_plugin_that_a_study_names(install: Install, python: Any) -> None:
    install("gap", "raise RuntimeError('out of coffee')", "xpot-gap")
    done = python(
        """
        from xpot_core.plugins.registry import load_registry
        from xpot_core.errors import NotInstalledError
        registry = load_registry()
        named = 'fitter gap', 'fitter nump-pair', 'optimizer optuna-nsga2', 'loss zzz'
        for kind, name in map(str.split, named):
            try:
                registry.provider(kind, name)
            except NotInstalledError as error:
                print(str(error).replace('\\n', ' '))
    """,
        XPOT_PLUGINS="gap,testing",
    )
    lines = done.stdout.splitlines()
    assert (
        "fitter 'gap' is not usable: its plugin 'gap' is broken: import failed: RuntimeError: out of coffee"
        in lines[0]
    )
    assert "did you mean 'numpy-pair'?" in lines[1]
    assert "optuna-nsga2" in lines[2]
    assert "unknown loss 'zzz'" in lines[3]
    assert "Known: energy-force" in lines[3]


def test_provider_whose_object_cannot_be_imported(install: Install, python: Any) -> None:
    install("late", GOOD.replace("LOSS", "late").replace('__name__ + ":Loss"', '"no_such_module:Loss"'))
    done = python("""
        from xpot_core.plugins.registry import load_registry
        try:
            load_registry().create('loss', 'late')
        except Exception as error:
            print(type(error).__name__, error)
    """)
    assert done.stdout.startswith(
        "NotInstalledError loss 'late' cannot be loaded: No module named 'no_such_module'"
    )


# -- plugin files of a study -----------------------------------------------------------------------

LOSS_FILE = """
from xpot_core.api import (
    LossProvider,
    LossValue,
    OptionsModel,
    PredictorProvider,
    error_table,
    hookimpl,
    option,
)

class Options(OptionsModel):
    scale: float = option(1.0, "Factor.")

class ForceLoss:
    def __init__(self, options): self.options = options
    def compute(self, predictions, reference):
        return LossValue(self.options.scale * error_table(predictions, reference).total("force").rmse)

@hookimpl
def xpot_register_losses():
    return [LossProvider("forces", "force RMSE alone", __name__ + ":ForceLoss", Options)]
"""


@pytest.mark.parametrize("executor", ["serial", {"local": {"workers": 1}}])
def test_plugin_file_in_the_study(study: Any, folder: Path, call: Any, executor: Any) -> None:
    (folder / "my_loss.py").write_text(LOSS_FILE)
    path = study(
        {
            "plugins": ["./my_loss.py"],
            "loss": {"forces": {"scale": 2.0}},
            "budget": {"trials": 2},
            "executor": executor,
        }
    )
    assert call("run", path, "--quiet").status == 0
    shown = json.loads(call("show", path, "--json").out)
    for trial in shown["trials"]:
        assert trial["loss"] == pytest.approx(2 * trial["errors"]["validation"]["force_rmse"], rel=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "plugin file does not exist"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
)
def test_broken_plugin_file_is_wrong_input(
    study: Any, folder: Path, call: Any, content: str | None, message: str
) -> None:
    if content is not None:
        (folder / "my_loss.py").write_text(content)
    path = study({"plugins": "my_loss.py", "loss": "forces"})
    outcome = call("run", path)
    assert outcome.status == 2
    assert message in outcome.err
    assert "my_loss.py" in outcome.err


def test_a_plugin_file_in_two_registries_is_one_module(tmp_path: Path) -> None:
    """A study with another list of files must not take the option classes from under an earlier one."""
    (tmp_path / "other.py").write_text("")
    one, two = load_registry([FAULTY]), load_registry([FAULTY, tmp_path / "other.py"])
    assert one.provider("fitter", "faulty").options is two.provider("fitter", "faulty").options
