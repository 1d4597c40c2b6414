"""``validate: default``: the cheap tests of the installed plugins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_cases import Make, run

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
    """The panel of one plugin file, without the tests of the plugins that happen to be installed."""
    from xpot_core.trial import panel

    (tmp_path / "panel_plugin.py").write_text(PANEL_PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    every = panel.panel
    own = {"good", "wrong", "elsewhere"}
    monkeypatch.setattr(panel, "panel", lambda registry: [b for b in every(registry) if own & {*b}])
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
