"""The same fit as an input of gap_fit itself."""

from __future__ import annotations

from xpot_core.api import ExportRequest, FitRequest
from xpot_gap.gap_fit.plan import DATA, SETTINGS, Plan
from xpot_gap.gap_fit.settings import write_settings
from xpot_gap.options import GapOptions

FOLDER = "gap_fit"


def gap_fit_input(request: ExportRequest) -> dict[str, str]:
    """Write data and arguments into a folder of their own; file name -> what it is."""
    options = request.options
    assert isinstance(options, GapOptions)
    folder = request.directory / FOLDER
    folder.mkdir()
    data = request.data.training()
    plan = Plan.make(FitRequest(options=options, data=data, directory=folder), data)
    plan.write_inputs(folder, data.frames, DATA, virials=options.virials, sigmas=True)
    write_settings(folder / SETTINGS, request.potential.metadata["command"][1:])
    return {
        f"{FOLDER}/{SETTINGS}": f"the same fit by gap_fit itself, in this folder: gap_fit config_file={SETTINGS}",
        f"{FOLDER}/{DATA}": "its training data",
    }
