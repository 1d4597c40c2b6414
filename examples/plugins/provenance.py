"""Provenance: one line in a log for every regression and every potential of a study."""

import json
import os
from pathlib import Path

from xpot_core.api import hookimpl


def note(**facts):
    with Path(os.environ.get("PROVENANCE_LOG", "provenance.jsonl")).open("a") as log:
        log.write(json.dumps(facts) + "\n")


@hookimpl(wrapper=True)
def xpot_regress(options, leave_out):
    errors = yield
    note(options=options.model_dump(mode="json"), leave_out=leave_out, errors=errors.validation.to_json())
    return errors


@hookimpl(wrapper=True)
def xpot_fit(fitter, request):
    potential = yield
    note(options=request.options.model_dump(mode="json"), files=dict(potential.sha256))
    return potential
