"""The way back to gap_fit: what is exported makes the same fit there, and comes back as the same study."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from gap_cases import make_data, make_options, make_request
from xpot_gap.command import describe_descriptors, gap_fit_arguments, safe_names
from xpot_gap.fitter import GapFitter
from xpot_gap.importing.study import study_from_source
from xpot_gap.native_input import gap_fit_input
from xpot_gap.options import GapOptions
from xpot_gap.predictor import GapPredictor
from xpot_gap.runner import gap_fit_program
from xpot_gap.sigmas import sigma_arguments

from xpot_core.api import ExportRequest

DESCRIPTORS = [
    {"distance_2b": {"cutoff": 4.5, "n_sparse": 10}},
    {"distance_Nb": {"order": 3, "cutoff": 3.0, "n_sparse": 5, "theta_uniform": 1.3}},
    {
        "soap": {
            "cutoff": 4.0,
            "n_max": 4,
            "l_max": 3,
            "n_sparse": {"Elastic": 5, "AIMD-NVT": 3},
            "central_weight": 0.5,
            "more": {"cutoff_rate": 2.0},
        }
    },
]


@pytest.mark.parametrize("engine", ["gap_fit", "native"])
def test_export_fits_the_same_in_gap_fit(tmp_path: Path, engine: str) -> None:
    data = make_data(6)
    chosen = DESCRIPTORS if engine == "gap_fit" else [DESCRIPTORS[0], DESCRIPTORS[2]]
    options = make_options(
        descriptors=chosen,
        engine=engine,
        sparse_selection="gap_fit",
        sigma_energy={"Elastic": 0.001, "AIMD-NVT": 0.01},
        e0_offset=0.1,
    )
    request = make_request(data, tmp_path, options=options)
    potential = GapFitter().fit(request)
    assert set(gap_fit_input(ExportRequest(potential, tmp_path, options, data))) == {
        "gap_fit/gap_fit.settings",
        "gap_fit/train.xyz",
    }
    folder = tmp_path / "gap_fit"
    # What the log says is what gap_fit takes.
    command = shlex.split((tmp_path / "fit.log").read_text().partition("This fit as one command:\n")[2])
    assert "config_type_sigma={Elastic:0.001:0.05:0.1:0.0:AIMD-NVT:0.01:0.05:0.1:0.0}" in command
    assert (
        subprocess.run(
            [gap_fit_program(), *command[1:]], cwd=folder, capture_output=True, check=False
        ).returncode
        == 0
    )
    by_command = (folder / "gap.xml").read_text()
    subprocess.run(
        [gap_fit_program(), "config_file=gap_fit.settings"], cwd=folder, capture_output=True, check=False
    )
    assert (folder / "gap.xml").read_text().count("<sparseX") == by_command.count("<sparseX")
    theirs = potential.from_files("gap-xml", folder, {"potential": "gap.xml"}, ("Cu",))
    one = GapPredictor().predict(potential, data.frames, directory=tmp_path)
    two = GapPredictor().predict(theirs, data.frames, directory=tmp_path)
    for frame, a, b in zip(data.frames, one.energies, two.energies, strict=True):
        assert abs(a - b) / frame.n_atoms < 1e-6
    for a, b in zip(one.forces, two.forces, strict=True):
        assert abs(a - b).max() < 1e-5


def test_import_of_an_export_is_the_same_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data(6)
    options = make_options(
        descriptors=DESCRIPTORS, engine="gap_fit", sigma_energy={"Elastic": 0.001, "AIMD-NVT": 0.01}
    )
    potential = GapFitter().fit(make_request(data, tmp_path, options=options))
    gap_fit_input(ExportRequest(potential, tmp_path, options, data))
    monkeypatch.chdir(tmp_path / "gap_fit")
    found = study_from_source("gap_fit.settings")
    assert not found.lost
    back = GapOptions.model_validate(found.study["fitter"]["gap"])
    assert back.descriptors == options.descriptors
    assert found.study["seed"] == 3
    names = safe_names(data.groups)

    def arguments(chosen: GapOptions) -> list[str]:
        assert isinstance(chosen.e0, dict)
        return gap_fit_arguments(
            chosen,
            describe_descriptors(chosen, data.elements, names),
            sigmas=sigma_arguments(chosen, names),
            e0=chosen.e0,
            seed=3,
            data_file="train.xyz",
            xml_file="gap.xml",
        )

    assert arguments(back) == arguments(options)
