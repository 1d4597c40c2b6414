"""Scripts: what the shell makes of a text before gap_fit sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from gap_cases import PAIR_TEXT
from xpot_gap.importing.reading.sources import read_source

from xpot_core.api import Findings, InputError

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
    "settings that the script writes": f"""#!/bin/bash
SIGMA=1
cat > fit.cfg << EOF
at_file=t.xyz
gap={{{PAIR_TEXT}}}
default_sigma={{$SIGMA 1 1 1}}
EOF
gap_fit config_file=fit.cfg > fit.log
""",
    "a script within a script": f"""#!/bin/bash
sbatch <<'END'
#!/bin/bash
gap_fit at_file=t.xyz gap={{{PAIR_TEXT}}} {SIGMAS}
END
""",
    "a function": f"""#!/bin/bash
fit() {{
  gap_fit at_file=t.xyz gap={{{PAIR_TEXT}}} {SIGMAS}
}}
fit
""",
    "what is only said": f"""#!/bin/bash
echo "gap_fit at_file=other.xyz gap={{{PAIR_TEXT}}} {SIGMAS}"
{{ gap_fit at_file=t.xyz gap={{{PAIR_TEXT}}} {SIGMAS}; }} 2> errors
""",
    "lines of documentation": f"""gap_fit atoms_filename=t.xyz   # the data; of a fit {{
  gap={{                           # the descriptors:
    {PAIR_TEXT}
  }}
  {SIGMAS}                         # sigmas
""",
    "lines of Windows": f"""#!/bin/bash\r
gap_fit at_file=t.xyz gap={{{PAIR_TEXT}}} \\\r
   {SIGMAS}\r
""",
    "variables with the names of arguments": f"""
at_file=t.xyz
gap="{{{PAIR_TEXT}}}"
gap_fit at_file=$at_file gap="$gap" "{SIGMAS}"
""",
}


@pytest.mark.parametrize("form", SCRIPTS)
def test_the_shell_is_followed(form: str, tmp_path: Path) -> None:
    (tmp_path / "fit.sh").write_bytes(f"{SCRIPTS[form]}# Größe\n".encode("latin-1"))
    findings = Findings()
    found = read_source(str(tmp_path / "fit.sh"), findings)
    found |= {"at_file": found.pop("atoms_filename", found.get("at_file"))}
    assert {key: " ".join(value.split()) for key, value in found.items()} == EXPECTED
    assert not findings.notes


def test_documentation_with_its_comments_as_a_text() -> None:
    found = read_source(SCRIPTS["lines of documentation"], Findings())
    assert found["gap"].split() == PAIR_TEXT.split()
    assert found["default_sigma"] == "1 1 1 1"


@pytest.mark.parametrize(
    ("e0", "expected", "told"),
    [
        ("{Si:-1,C:-2}", "C:-2", 1),
        ("{{1,2}}", "2", 1),
        ("'{Si:-1,C:-2}'", "Si:-1,C:-2", 0),
        ("$E", "Si:-1,C:-2", 0),
    ],
)
def test_braces_with_commas_are_several_words(e0: str, expected: str, told: int, tmp_path: Path) -> None:
    command = f"gap_fit at_file=t.xyz gap={{{PAIR_TEXT}}} {SIGMAS} e0={e0}"
    (tmp_path / "fit.sh").write_text(f"E='{{Si:-1,C:-2}}'\n{command}\n")
    findings = Findings()
    assert read_source(str(tmp_path / "fit.sh"), findings)["e0"] == expected
    assert len(findings.notes) == told


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
