"""Everything that gap_fit hides, gets wrong or blames on something else."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gap_cases import make_data, make_frame, make_options, make_request
from pydantic import ValidationError
from xpot_gap.fitter import GapFitter
from xpot_gap.gap_fit import runner
from xpot_gap.gap_fit.data_file import write_data_file
from xpot_gap.gap_fit.runner import check_counts, gap_fit_program, parse_dry_run, run
from xpot_gap.potential.predictor import GapPredictor

from xpot_core.api import (
    FitError,
    FittedPotential,
    InfeasibleError,
    InputError,
    Limits,
    PredictError,
    TrainingData,
    TrialTimeoutError,
)

pytest.importorskip("quippy")

PREAMBLE = """
import os, signal, subprocess, sys, time
real = {real!r}
arguments = sys.argv[1:]
dry = "dryrun=T" in arguments
"""


@pytest.fixture
def program(tmp_path: Path):
    """Makes a program that does what its text says and is gap_fit for dry runs."""

    def make(text: str) -> str:
        path = tmp_path / "fake_gap_fit"
        dry = "if dry: sys.exit(subprocess.call([real, *arguments]))\n"
        path.write_text(f"#!{sys.executable}\n{PREAMBLE.format(real=str(gap_fit_program()))}{dry}{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def fit(directory: Path, data: TrainingData | None = None, limits: Limits | None = None, **options: object):
    made = make_options(**{"engine": "gap_fit", **options})
    request = make_request(data or make_data(4), directory, options=made, limits=limits or Limits())
    return GapFitter().fit(request)


@pytest.mark.parametrize("name", ["energy", "force", "virial"])
def test_data_that_gap_fit_does_not_see(tmp_path: Path, program, name: str) -> None:
    """A wrong key name is no error for gap_fit."""
    fake = program(
        f"arguments = [a if not a.startswith('{name}_parameter_name') else a + 'x' for a in arguments]\n"
        "sys.exit(subprocess.call([real, *arguments]))"
    )
    with pytest.raises(FitError, match=r"gap_fit used 0 (energies|forces|virials), the data has \d+"):
        fit(tmp_path, program=fake)


def test_virial_that_gap_fit_cannot_parse(tmp_path: Path, program) -> None:
    """ASE would write JSON; gap_fit drops it and ends with status 0."""
    fake = program(
        "import re\n"
        "text = open('train.xyz').read()\n"
        "open('train.xyz', 'w').write(re.sub('virial=\"([^\"]*)\"', 'virial=_JSON', text))\n"
        "sys.exit(subprocess.call([real, *arguments]))"
    )
    with pytest.raises(FitError, match=r"gap_fit used \d+ virials|gap_fit stopped"):
        fit(tmp_path, program=fake)


def test_virials_are_flat_numbers(tmp_path: Path) -> None:
    frame = make_frame(1, "g")
    write_data_file(tmp_path / "a.xyz", [frame], {"g": "g"}, virials=True, cutoff=4.0)
    line = (tmp_path / "a.xyz").read_text().splitlines()[1]
    numbers = line.partition('virial="')[2].partition('"')[0].split()
    assert np.allclose(np.array(numbers, dtype=float), np.ravel(frame.virial))


@pytest.mark.parametrize("what", ["energy", "forces", "virial"])
def test_nan_in_the_data(tmp_path: Path, what: str) -> None:
    data = make_data(3)
    value = float("nan") if what == "energy" else np.full_like(getattr(data.frames[1], what), np.nan)
    frames = (data.frames[0], replace(data.frames[1], **{what: value}), data.frames[2])
    with pytest.raises(FitError, match=r"made.xyz#1: \w+ is not a finite number"):
        fit(tmp_path, replace(data, frames=frames))


def test_nan_in_the_potential(tmp_path: Path, program) -> None:
    fake = program(
        "import re\n"
        "status = subprocess.call([real, *arguments])\n"
        "text = open('gap.xml').read()\n"
        "open('gap.xml', 'w').write(re.sub('alpha=\"[^\"]*\"', 'alpha=\"NaN\"', text))\n"
        "sys.exit(status)"
    )
    with pytest.raises(FitError, match="NaN in it"):
        fit(tmp_path, program=fake)


def test_status_zero_without_a_potential(tmp_path: Path, program) -> None:
    fake = program("code = subprocess.call([real, *arguments]); os.remove('gap.xml')")
    with pytest.raises(FitError, match="without a potential"):
        fit(tmp_path, program=fake)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSEGV])
def test_killed_run(tmp_path: Path, program, sent: signal.Signals) -> None:
    fake = program(f"print('last words', flush=True); os.kill(os.getpid(), {int(sent)})")
    with pytest.raises(FitError, match=f"killed by {sent.name}") as caught:
        fit(tmp_path, program=fake)
    assert "last words" in caught.value.log
    assert caught.value.remedy


def test_endless_run_is_stopped_with_its_children(tmp_path: Path, program) -> None:
    fake = program(
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid)); time.sleep(60)"
    )
    start = time.monotonic()
    with pytest.raises(TrialTimeoutError, match="stopped after 3 s"):
        fit(tmp_path, limits=Limits(seconds=3), program=fake)
    assert time.monotonic() - start < 30
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child of gap_fit lives on")


def test_too_much_memory_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match=r"would need .* GB of memory"):
        fit(tmp_path, limits=Limits(memory_bytes=1_000_000), descriptors=[{"soap": {"n_sparse": 30}}])
    assert not (tmp_path / "gap.xml").exists()


def test_memory_that_grows_beyond_the_estimate(tmp_path: Path) -> None:
    hungry = "x = bytearray(300_000_000); import time; time.sleep(30)"
    with pytest.raises(InfeasibleError, match="took more memory"):
        run([sys.executable, "-c", hungry], tmp_path, log_name="log", limits=Limits(memory_bytes=100_000_000))


def test_more_sparse_points_than_environments(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match=r"soap of Cu: 5000 sparse points wanted, the data has 32"):
        fit(tmp_path, descriptors=[{"soap": {"n_max": 3, "l_max": 2, "n_sparse": 5000}}])


def test_more_sparse_points_of_a_group_than_environments_of_all(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match=r"soap of Cu: 40 sparse points wanted, the data has 32"):
        fit(
            tmp_path,
            descriptors=[{"soap": {"n_max": 3, "l_max": 2, "n_sparse": {"Elastic": 40, "AIMD-NVT": 2}}}],
        )


def test_more_groups_with_sparse_points_than_gap_fit_parses(tmp_path: Path) -> None:
    n_sparse = {f"group-{i}": 1 for i in range(101)}
    data = replace(make_data(4, groups=("group-0",)), groups=tuple(n_sparse))
    with pytest.raises(InputError, match="gap_fit takes 100 at most"):
        fit(tmp_path, data, descriptors=[{"distance_2b": {"n_sparse": n_sparse}}])


def test_descriptor_without_a_sparse_point(tmp_path: Path) -> None:
    """gap_fit writes a potential in which the species counts for nothing."""
    one, two = make_data(3, groups=("one",)), make_data(3, groups=("two",), elements=("Cu", "Al"))
    data = TrainingData((*one.frames, *two.frames), (-1,) * 6, ("Al", "Cu"), ("one", "two"))
    with pytest.raises(InfeasibleError, match=r"soap of Al: the groups .* have no such environment"):
        fit(
            tmp_path,
            data,
            e0="average",
            descriptors=[{"soap": {"n_max": 3, "l_max": 2, "n_sparse": {"one": 5, "two": 0}}}],
        )


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        ({"distance_2b": {"n_sparse": 1}}, "uniform cannot choose a single sparse point"),
        (
            {"soap": {"n_max": 4, "l_max": 3, "n_sparse": 5, "sparse_method": "uniform"}},
            "uniform cannot be used for a descriptor of 41 coordinates",
        ),
    ],
)
def test_uniform_choice_that_gap_fit_cannot_make(
    tmp_path: Path, descriptor: dict[str, object], message: str
) -> None:
    with pytest.raises(FitError, match=message):
        fit(tmp_path, descriptors=[descriptor])


def test_pair_beyond_the_cutoff(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match="the data has 0 environments"):
        fit(tmp_path, descriptors=[{"distance_2b": {"cutoff": 1.2, "cutoff_transition_width": 0.3}}])


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        ({"soap": {"zeta": 3.5}}, "integer"),
        ({"soap": {"delta": -1.0}}, "greater than 0"),
        ({"soap": {"n_sparse": 0}}, "at least one sparse point"),
        ({"soap": {"species": ["Si", "Si"]}}, "1 chemical symbol"),
        ({"soap": {}, "distance_2b": {}}, "exactly one descriptor"),
        ({"soap_turbo": {"rcut_hard": 3.0, "rcut_width": 3.5}}, "smaller than rcut_hard"),
    ],
)
def test_settings_that_gap_fit_would_let_pass(descriptor: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_options(descriptors=[descriptor])


@pytest.mark.parametrize("sigma", [0.0, -0.1, float("nan"), {"a": 0.0}])
def test_impossible_sigma(sigma: object) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        make_options(sigma_force=sigma)


def test_sigma_of_an_unknown_group(tmp_path: Path) -> None:
    """gap_fit ignores config types that are not in the data."""
    with pytest.raises(InputError, match="names a group that is not in the data: 'Elatsic'"):
        fit(tmp_path, sigma_force={"Elatsic": 0.1, "Elastic": 0.1, "AIMD-NVT": 0.1})
    with pytest.raises(InputError, match="gives no value for 'AIMD-NVT'"):
        fit(tmp_path, sigma_force={"Elastic": 0.1})


def test_e0_of_an_unknown_element(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no energy for Cu"):
        fit(tmp_path, e0={"Al": 0.0})


def test_core_potential_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        fit(tmp_path, core_param_file=str(tmp_path / "none.xml"), core_ip_args="IP Glue")
    with pytest.raises(ValidationError, match="belong together"):
        make_options(core_ip_args="IP Glue")


def test_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="is not a program"):
        fit(tmp_path, program="/no/such/gap_fit")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("default_sigma={0.1 0.1 0.1}", "list of the wrong length"),
        ("nonsense=1", "does not know the argument 'nonsense'"),
        ("default_sigma", "misses 'default_"),
    ],
)
def test_misleading_messages(tmp_path: Path, program, changed: str, message: str) -> None:
    if "=" in changed and not changed.startswith("nonsense"):
        text = f"arguments = [{changed!r} if a.startswith('default_sigma') else a for a in arguments]\n"
    elif changed.startswith("nonsense"):
        text = f"arguments.append({changed!r})\n"
    else:
        text = "arguments = [a for a in arguments if not a.startswith('default_sigma')]\n"
    with pytest.raises(FitError, match=message) as caught:
        fit(tmp_path, program=program(text + "sys.exit(subprocess.call([real, *arguments]))"))
    assert caught.value.remedy


def test_sigmas_that_gap_fit_did_not_take(tmp_path: Path, program) -> None:
    fake = program(
        "arguments = [a for a in arguments if not a.startswith('config_type_sigma')]\n"
        "sys.exit(subprocess.call([real, *arguments]))"
    )
    with pytest.raises(FitError, match="did not take the sigmas of config type 'Elastic'"):
        fit(tmp_path, program=fake, sigma_energy={"Elastic": 0.001, "AIMD-NVT": 0.02})


def test_log_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="no memory estimate"):
        parse_dry_run("nothing")
    with pytest.raises(FitError, match="an unknown number of energies"):
        check_counts("nothing", runner.Counts(1, 0, 0))


def test_no_training_frames(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training structure"):
        fit(tmp_path, make_data(2).training(-1))


def test_crash_of_quippy_is_a_predict_error(tmp_path: Path) -> None:
    (tmp_path / "gap.xml").write_text("<GAP_params label='x'>")
    potential = FittedPotential.from_files("gap-xml", tmp_path, {"potential": "gap.xml"}, ["Cu"])
    with pytest.raises(PredictError, match="quippy") as caught:
        GapPredictor().predict(potential, make_data(1).frames, directory=tmp_path)
    assert caught.value.log


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A worker that is killed leaves no gap_fit behind."""
    code = (
        "import sys; from pathlib import Path; from xpot_gap.gap_fit.runner import run\n"
        'script = \'import os,time; open("pid","w").write(str(os.getpid())); time.sleep(60)\'\n'
        f"run([sys.executable, '-c', script], Path({json.dumps(str(tmp_path))}), log_name='log')"
    )
    worker = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = int((tmp_path / "pid").read_text())
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    while Path(f"/proc/{child}").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
