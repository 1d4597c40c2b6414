"""The contract of validators finds what it is there to find."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from xpot_core.testing import ValidatorContract, check_contract

PLUGIN = """
import itertools, json, os, subprocess, sys
from pathlib import Path
from xpot_core.api import NoOptions, ValidationReport, ValidatorProvider, hookimpl

COUNT = itertools.count()

class Sound:
    def __init__(self, options):
        pass

    def check(self, data):
        assert data.frames and data.elements
        frame = data.frames[0]
        CHECK

    def validate(self, potential, request):
        values, tables = {"n": 1.0}, {"t": {"x": [0.0], "y": [1.0]}}
        try:
            coefficients = json.loads(potential.path("coefficients").read_text())["coefficients"]
            passed = max(map(abs, coefficients)) < 1e6
        except ValueError:
            passed = False
        (request.directory / "note.txt").write_text("x")
        FAULT
        return ValidationReport(passed, "looked at", values, tables)

@hookimpl
def xpot_register_validators():
    return [ValidatorProvider("NAME", "faulty on purpose", __name__ + ":Sound", NoOptions)]
"""

FAULTS = {
    "a_good_potential_passes": "passed = False",
    "report_is_json_able": "values['n'] = float('nan')",
    "a_ruined_potential_gives_a_verdict": "assert max(coefficients) < 20",
    "an_unreadable_potential_gives_a_verdict": "coefficients",
    "writes_only_in_its_folder": "Path('stray.txt').write_text('x')",
    "deterministic_by_seed": "values['n'] = float(next(COUNT))",
    "frames_are_left_as_they_are": "request.frames[0].atoms.positions[0] += 1e-3",
    "check_lets_the_test_run": "frame.atoms.positions[0] += 1e-3",
    "paths_may_hold_spaces_and_letters_of_any_language": "str(request.directory).encode('ascii')",
    "the_potential_may_stand_elsewhere": "values['n'] = float(potential.directory.is_absolute())",
    "nothing_is_left_running": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])",
}


def contract(folder: Path, name: str, fault: str) -> ValidatorContract:
    provider = f"kit-{name.replace('_', '-')}"
    path = folder / "faulty_validator.py"
    code = textwrap.dedent(PLUGIN).replace("CHECK", fault if name.startswith("check") else "pass")
    code = code.replace("FAULT", "pass" if name.startswith("check") else fault).replace("NAME", provider)
    path.write_text(code)
    attributes = {"provider": provider, "plugin_files": (path,)}
    return type("Faulty", (ValidatorContract,), attributes)()  # type: ignore[return-value]


@pytest.mark.parametrize("rule", FAULTS)
def test_each_fault_is_found_by_its_rule(tmp_path: Path, rule: str) -> None:
    with pytest.raises((AssertionError, UnicodeError, NameError, ValueError)):
        getattr(contract(tmp_path, rule, FAULTS[rule]), f"test_{rule}")()


def test_without_a_fault_nothing_is_found(tmp_path: Path) -> None:
    found = dict(check_contract(contract(tmp_path, "none", "pass")))
    faults = {r: f for r, f in found.items() if f and not f.startswith("not applicable")}
    assert not faults, faults
    assert len(found) >= 13
