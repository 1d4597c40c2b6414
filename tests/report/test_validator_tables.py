"""What tables say of physical tests."""

from __future__ import annotations

import json

from xpot_core.api import ValidationReport
from xpot_core.report.statistics.validators import ComparedTest, table_rows
from xpot_core.report.tables.study import test_rows as rows_of
from xpot_core.trial.run_validators import report_row
from xpot_core.types.validating import ValidatorRow


def test_numbers_stand_with_their_units() -> None:
    report = ValidationReport(True, "stiff", {"c11": 160.0, "n_atoms": 8.0}, units={"c11": "GPa"})
    row = report_row("elastic", report)
    assert ValidatorRow(**json.loads(json.dumps(row.to_json()))) == row
    assert rows_of([row])[0][-1] == "c11 160 GPa, n_atoms 8"
    compared = ComparedTest("elastic", {"a": row, "b": ValidatorRow("elastic", passed=None)})
    assert [cells[1] for cells in table_rows(compared, ["a", "b"])] == ["", "c11 (GPa)", "n_atoms"]
    assert "units" not in ValidatorRow("old").to_json()
