"""``validate: default``: the cheap tests of the installed plugins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import Make, run

from xpot_core.plugins.registry import load_registry

PANEL_PLUGIN = """
from xpot_core.api import InputError, NoOptions, ValidatorProvider, hookimpl
from xpot_core.api.validator import ValidationReport

xpot_api_version = 1


class Good:
    def __init__(self, options):
        pass

    def validate(self, potential, request):
        return ValidationReport(True, "stiff enough", {"stiffness": 3.0})


class Wrong(Good):
    def validate(self, potential, request):
        return ValidationReport(False, "C' 15 against 33 GPa", {"c_prime": 15.0})


class Elsewhere(Good):
    def check(self, data):
        raise InputError("the data hold no strained cells")


@hookimpl
def xpot_register_validators():
    for name, panel in (("good", ({},)), ("wrong", ({},)), ("elsewhere", ({},)), ("dear", ())):
        yield ValidatorProvider(
            name, "a test", f"panel_plugin:{name.title() if panel else 'Good'}", NoOptions, panel=panel
        )
"""


@pytest.fixture
def only_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The panel of one plugin file, as if it were installed, without the tests of those that are."""
    import xpot_core.builtin.panel
    from xpot_core.trial import panel

    (tmp_path / "panel_plugin.py").write_text(PANEL_PLUGIN)
    monkeypatch.setattr(
        xpot_core.builtin.panel, "load_registry", lambda: load_registry([tmp_path / "panel_plugin.py"])
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    every = panel.panel
    own = {"good", "wrong", "elsewhere"}
    monkeypatch.setattr(panel, "panel", lambda r, only=None: [b for b in every(r, only) if own & {*b}])
    return str(tmp_path / "panel_plugin.py")


def test_the_panel_has_a_row_for_each_test_and_a_verdict(
    study: Make, folder: Path, call: Callable[..., Any], only_these: str
) -> None:
    _, results = run(study({"plugins": [only_these], "validate": "default", "budget": {"trials": 2}}))
    rows = {row.validator: row for row in results.final_tests}
    assert {name: row.passed for name, row in rows.items()} == {
        "good": True,
        "wrong": False,
        "elsewhere": None,
    }
    assert rows["elsewhere"].summary == "not tested: the data hold no strained cells"
    shown = " ".join(call("show", "argon").out.split())
    assert "numerically best, physically wrong: fails 1 of 2 tests: wrong: C' 15 against 33 GPa" in shown
    assert "1 could not be done" in shown
    assert "default" not in {*rows}


def test_validate_without_a_list_runs_the_panel(
    study: Make, folder: Path, call: Callable[..., Any], only_these: str
) -> None:
    run(study({"plugins": [only_these], "budget": {"trials": 1}}))
    done = call("validate", "argon", "--json", "--trust")
    assert {r["validator"] for r in json.loads(done.out)} == {"good", "wrong", "elsewhere"}
    assert done.status == 1


def test_the_panel_as_a_constraint_of_some_of_its_tests(
    study: Make, folder: Path, call: Callable[..., Any], only_these: str
) -> None:
    """What cannot be done with the data refuses no trial; a test that is not named is not run."""
    kept, refused = (
        run(
            study(
                {
                    "study": names[0],
                    "plugins": [only_these],
                    "constraints": [{"default": {"tests": names}}],
                    "budget": {"trials": 2},
                }
            )
        )[1]
        for names in (["good", "elsewhere"], ["wrong"])
    )
    assert [t.state for t in kept.trials] == ["COMPLETE", "COMPLETE"]
    assert [t.state for t in refused.trials] == ["INFEASIBLE", "INFEASIBLE"]


def test_the_panel_has_no_such_test(
    study: Make, folder: Path, call: Callable[..., Any], only_these: str
) -> None:
    study({"plugins": [only_these], "constraints": [{"default": {"tests": ["goood"]}}]})
    done = call("run", "study.yaml", "--trust")
    assert done.status == 2
    assert "constraints.0.default.tests" in done.err
    assert "did you mean 'good'?" in done.err
