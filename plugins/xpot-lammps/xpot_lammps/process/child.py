"""The process of one test: ``python -m xpot_lammps.process.child JOB``, in the folder of the test."""

from __future__ import annotations

import json
import pkgutil
import sys
import traceback
from pathlib import Path
from typing import Any

from xpot_core.api import FittedPotential, InputError
from xpot_lammps.process.failure import Failed
from xpot_lammps.process.runner import ANSWER


def main(path: str) -> None:
    """Read a job, run its task, write the answer.

    Parameters
    ----------
    path
        JSON file with ``task``, ``potential``, ``calculator``, ``seed``, ``options`` and what the task needs; see
        `xpot_lammps.process.runner.run_child`.
    """
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    potential = FittedPotential.from_json(job["potential"])
    answer: dict[str, Any]
    try:
        answer = pkgutil.resolve_name(job["task"])(potential, job)
    except InputError as error:
        value = {"value": error.value} if error.has_value else {}
        answer = {
            "input_error": {"message": error.message, "key": error.key, "remedy": error.remedy, **value}
        }
    except Failed as error:
        answer = {"failure": error.failure}
    except Exception as error:
        # whatever a potential makes a calculator do is the potential's fault, and is told as such
        traceback.print_exc()
        answer = {"failure": {"reason": "error", "message": f"{type(error).__name__}: {error}"}}
    temporary = Path(ANSWER + ".part")
    temporary.write_text(json.dumps(answer), encoding="utf-8")
    temporary.replace(ANSWER)


if __name__ == "__main__":
    main(sys.argv[1])
