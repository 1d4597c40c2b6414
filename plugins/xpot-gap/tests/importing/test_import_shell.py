"""Scripts: what the shell makes of a text before gap_fit sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from gap_cases import PAIR_TEXT
from xpot_gap.importing.reading.findings import Findings
from xpot_gap.importing.reading.sources import read_source

from xpot_core.api import InputError

SIGMAS = "default_sigma={1 1 1 1}"
EXPECTED = {"at_file": "t.xyz", "gap": PAIR_TEXT, "default_sigma": "1 1 1 1"}
SCRIPTS = {
    "arrays": f"""#!/bin/bash
ARGS=(
  at_file=t.xyz
  "gap={{{PAIR_TEXT}}}"   # the descriptors
)
ARGS+=('{SIGMAS}')
gap_fit "${{ARGS[@]}}"
""",
    "words of a variable without quotes": f"""
ALL="gap={{{PAIR_TEXT}}} {SIGMAS}"
gap_fit at_file=${{FILE:-t.xyz}} $ALL
""",
    "the whole command in a variable": f"""
CMD="gap_fit at_file=t.xyz gap={{{PAIR_TEXT}}} {SIGMAS}"
echo "$CMD"
$CMD > log
""",
    "a program of another name": f"""#!/bin/sh
$GAP {SIGMAS.replace("{", "'{").replace("}", "}'")} at_file=t.xyz gap="{{{PAIR_TEXT}}}" | tee log
""",
    "variables with the names of arguments": f"""
at_file=t.xyz
gap="{{{PAIR_TEXT}}}"
gap_fit at_file=$at_file gap="$gap" "{SIGMAS}"
""",
}


@pytest.mark.parametrize("form", SCRIPTS)
def test_the_shell_is_followed(form: str, tmp_path: Path) -> None:
    (tmp_path / "fit.sh").write_text(SCRIPTS[form])
    findings = Findings()
    assert read_source(str(tmp_path / "fit.sh"), findings) == EXPECTED
    assert not findings.notes


def test_further_commands_are_told(tmp_path: Path) -> None:
    one = f"gap_fit at_file=t.xyz 'gap={{{PAIR_TEXT}}}' '{SIGMAS}'\n"
    (tmp_path / "fit.sh").write_text(f"{one}gap_fit at_file=other.xyz 'gap={{{PAIR_TEXT}}}' '{SIGMAS}'\n")
    findings = Findings()
    assert read_source(str(tmp_path / "fit.sh"), findings) == EXPECTED
    assert findings.notes == ["There are 2 gap_fit commands: the first one is taken, the others are not."]


@pytest.mark.parametrize("put_in", ["$DATA/t.xyz", "${DATA}.xyz", "`ls`", "$(ls)"])
def test_what_only_the_shell_knows_is_an_error(put_in: str, tmp_path: Path) -> None:
    (tmp_path / "fit.sh").write_text(f"gap_fit at_file={put_in} 'gap={{{PAIR_TEXT}}}' '{SIGMAS}'\n")
    with pytest.raises(InputError, match="is put in by the shell"):
        read_source(str(tmp_path / "fit.sh"), Findings())
