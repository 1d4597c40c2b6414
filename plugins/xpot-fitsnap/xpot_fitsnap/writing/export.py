"""A FitSNAP input with its data beside an exported potential."""

from __future__ import annotations

from pathlib import Path

from xpot_core.api import ExportRequest, InputError, TrainingData
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.plan import Plan
from xpot_fitsnap.writing.records import json_text, record
from xpot_fitsnap.writing.sections import sections, to_text

FOLDER = "fitsnap"


def export(request: ExportRequest) -> dict[str, str]:
    """Write the folder ``fitsnap``: the same fit for FitSNAP.

    Returns
    -------
    dict
        File name -> what it is.
    """
    try:
        options = FitsnapOptions.of(request.options)
        # of the fitter snap; the absolute one is FitSNAP's own
        ridge, alpha = (float(getattr(request.options, n, 0.0)) for n in ("ridge", "absolute_ridge"))
        if alpha and options.constant and options.bzero:
            raise InputError(
                "FitSNAP has no absolute ridge beside constant energies and descriptors without the isolated atom: "
                "set bzero or constant to false"
            )
        name = write_fitsnap(request.directory / FOLDER, options, request.data, ridge, alpha)
    except InputError as error:
        return {FOLDER: f"not written: {error.message}"}
    return {f"{FOLDER}/{name}": f"the same fit for FitSNAP: run `fitsnap3 {name} --overwrite` there"}


def write_fitsnap(
    folder: Path, options: FitsnapOptions, data: TrainingData, ridge: float = 0.0, alpha: float = 0.0
) -> str:
    """Write a FitSNAP input and its JSON data.

    Parameters
    ----------
    folder
        Made if absent.
    options
        Every option filled in.
    data
        All frames; those that are only evaluated are left out.
    ridge
        Relative ridge of the fit, which a comment tells of.
    alpha
        Absolute ridge of the fit.

    Returns
    -------
    str
        Name of the input file.
    """
    plan = Plan.of(options, data)
    for i, (frame, name) in enumerate(zip(plan.frames, plan.names, strict=True)):
        target = folder / "JSON" / name
        target.mkdir(parents=True, exist_ok=True)
        text = json_text(record(frame, plan.settings.cutoff), frame.source)
        (target / f"{i:06d}.json").write_text(text, encoding="utf-8")
    stem = "".join(plan.settings.elements)
    comments = ["Written by XPOT. Energies in eV, vweight per bar. Run: fitsnap3 " + f"{stem}.in --overwrite"]
    if ridge > 0:
        comments.append(f"XPOT fitted with a relative ridge of {ridge!r}, which FitSNAP does not have.")
    content = sections(plan.settings, plan.table, plan.shifts, name=stem, data_path="JSON", alpha=alpha)
    (folder / f"{stem}.in").write_text(to_text(content, comments), encoding="utf-8")
    return f"{stem}.in"
