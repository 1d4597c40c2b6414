"""The dask executor keeps the contract; workers that come, go and die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xpot_dask.executor as module
from dask_cases import at_work, connected, one, processes, scheduler, until, worker_pids
from distributed import Security
from xpot_dask.clusters import _CLUSTERS, _job_arguments, warn_of_cores
from xpot_dask.executor import DaskExecutor
from xpot_dask.options import DaskOptions, JobOptions

from xpot_core.api import ExecutorContext, InputError, TrialState, TrialTask, XpotError
from xpot_core.testing import ExecutorContract, contract_class
from xpot_core.testing.contracts.executor import _FAULTY, _context, _run, _task

# Beside these rules the tests below show in seconds that it works.
TestLocalCluster = pytest.mark.slow(contract_class("executor", "dask"))


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Any]:
    with processes(2) as cluster:
        yield cluster


@pytest.mark.slow
class TestAtAddress(ExecutorContract):
    """The same rules with workers that are processes, at a scheduler made by somebody else."""

    provider = "dask"

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _address(shared_cluster: Any) -> None:
        TestAtAddress.options = {"address": shared_cluster.scheduler_address}


def _refused(folder: Path, **options: Any) -> None:
    DaskExecutor(DaskOptions(**options)).start(_context(_FAULTY, folder))


def test_trial_of_a_killed_worker_runs_once_more_elsewhere(folder: Path) -> None:
    with processes(2) as cluster, connected(folder, address=cluster.scheduler_address) as executor:
        executor.submit(_task(0, {"seconds": 2.0}, folder))
        assert until(executor, at_work(executor, 0)) == []
        os.kill(worker_pids(cluster)[executor._where[0]], signal.SIGKILL)
        result = one(executor)
        assert result.state is TrialState.COMPLETE
        assert executor._begun[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [1, 3], ids=["our-setting", "foreign-setting"])
def test_trial_that_loses_its_worker_twice_fails(folder: Path, allowed: int) -> None:
    with processes(2) as cluster, connected(folder, address=cluster.scheduler_address) as executor:
        cluster.scheduler.allowed_failures = allowed
        executor.submit(_task(0, {"mode": "hang"}, folder))
        for times in (1, 2):
            assert until(executor, at_work(executor, 0, times)) == []
            os.kill(worker_pids(cluster)[executor._where[0]], signal.SIGKILL)
        result = one(executor)
        assert result.state is TrialState.FAILED
        assert result.failure is not None
        assert "lost 2 times" in result.failure.message
        assert result.failure.retryable
        assert result.failure.plugin == "executor dask"
        # The workers came back and work on.
        executor.submit(_task(1, {}, folder))
        assert one(executor).state is TrialState.COMPLETE
    ExecutorContract._nobody_is_left()


@pytest.mark.slow
def test_worker_told_to_close_gives_its_trial_back(folder: Path) -> None:
    with processes(2) as cluster, connected(folder, address=cluster.scheduler_address) as executor:
        executor.submit(_task(0, {"seconds": 3.0}, folder))
        assert until(executor, at_work(executor, 0)) == []
        nanny = next(w for w in cluster.workers.values() if w.worker_address == executor._where[0])
        os.kill(nanny.process.process.pid, signal.SIGTERM)
        result = one(executor)
        assert result.state is TrialState.COMPLETE, result.failure


@pytest.mark.slow
def test_capacity_follows_the_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFRESH_SECONDS", 0.05)
    with processes(0) as cluster, connected(folder, address=cluster.scheduler_address) as executor:
        assert executor.capacity == 1, "a trial waits for the first worker"
        executor.submit(_task(0, {}, folder))
        assert executor.collect(timeout=0.5) == []
        cluster.scale(3)
        assert one(executor).state is TrialState.COMPLETE
        until(executor, lambda: executor.capacity == 3)
        results = _run(executor, folder, [{"level": 0.1 * i} for i in range(9)])
        assert len(results) == 9
        # A late worker was sent what all trials share.
        assert len({r.worker for r in results}) >= 2
        cluster.scale(1)
        until(executor, lambda: executor.capacity == 1)
    with (
        processes(3) as cluster,
        connected(folder, address=cluster.scheduler_address, workers=2) as executor,
    ):
        until(executor, lambda: executor._connected() == 3)
        assert executor.capacity == 2


def test_data_are_read_once_by_each_worker(folder: Path) -> None:
    with connected(folder, workers=2) as executor:
        results = _run(executor, folder, [{"level": 0.1 * i} for i in range(8)])
    assert len({r.worker for r in results}) <= 2, "children were not kept"
    assert len(list((folder / "workers").glob("worker-*.log"))) <= 2


def test_lost_scheduler_is_told_and_nothing_is_failed(folder: Path) -> None:
    with scheduler(folder) as (process, address), connected(folder, address=address, timeout=3.0) as executor:
        executor.submit(_task(0, {}, folder))
        assert executor.collect(timeout=0.5) == []
        process.kill()
        process.wait()
        with pytest.raises(XpotError, match="is gone") as caught:
            one(executor)
        assert "nothing is lost" in (caught.value.remedy or "")


def test_nobody_at_the_address(folder: Path) -> None:
    with pytest.raises(InputError, match="no dask scheduler answers") as caught:
        _refused(folder, address="tcp://127.0.0.1:9", timeout=1.0)
    assert caught.value.key == "executor.dask.address"


def test_workers_must_see_the_run_folder(folder: Path, shared_cluster: Any) -> None:
    executor = DaskExecutor(DaskOptions(address=shared_cluster.scheduler_address))
    context = _context(_FAULTY, folder)
    executor.start(ExecutorContext(context.study, folder / "elsewhere", context.limits))
    try:
        executor.submit(_task(0, {}, folder))
        failure = one(executor).failure
        assert failure is not None
        assert "does not see the folder" in failure.message
        assert "file system" in failure.hint
    finally:
        executor.close()


def test_tls(folder: Path) -> None:
    """A scheduler with certificates takes those who have them and nobody else."""
    pytest.importorskip("cryptography")
    security = Security.temporary()
    client = security.get_tls_config_for_role("client")
    for name, key in (("ca", "ca_file"), ("certificate", "cert"), ("key", "key")):
        (folder / f"{name}.pem").write_text(client[key])
    tls = {name: f"{name}.pem" for name in ("ca", "certificate", "key")}
    with processes(1, security=security, protocol="tls://") as cluster:
        with connected(folder, address=cluster.scheduler_address, tls=tls) as executor:
            assert [r.state for r in _run(executor, folder, [{}])] == [TrialState.COMPLETE]
        with pytest.raises(InputError, match="no dask scheduler answers"):
            _refused(folder, address=cluster.scheduler_address, timeout=2.0)
    with pytest.raises(InputError, match="no such file") as caught:
        _refused(folder, address="tls://127.0.0.1:9", tls={**tls, "key": "absent.pem"})
    assert caught.value.key == "executor.dask.tls.key"


def test_nobody_else_can_send_work_on_this_machine(folder: Path) -> None:
    """The scheduler and its worker talk inside the process; what listens answers no request."""
    import urllib.error
    import urllib.request

    import psutil

    def listening() -> set[Any]:
        return {c.laddr for c in psutil.Process().net_connections(kind="inet") if c.status == "LISTEN"}

    before = listening()
    with connected(folder, workers=2) as executor:
        _run(executor, folder, [{}])
        assert executor._cluster.scheduler_address.startswith("inproc://")
        assert executor._cluster.scheduler.worker_ttl is None, "a computer that slept would lose its worker"
        for address in listening() - before:
            assert address.ip == "127.0.0.1"
            for page in ("", "health", "info/main/workers.html", "api/v1/retire_workers"):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(f"http://127.0.0.1:{address.port}/{page}", timeout=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "tcp://a:1", "cluster": {"slurm": {"memory": "1GB"}}}, "exclude each other"),
        ({"tls": {"ca": "a", "certificate": "b", "key": "c"}}, "belongs to an address"),
        ({"cluster": {}}, "name one batch system"),
        ({"cluster": {"slurm": {"memory": "1GB"}, "pbs": {"memory": "1GB"}}}, "name one batch system"),
        ({"cluster": {"slurm": {"memory": "1GB", "queue": "a\nrm -rf x"}}}, "match"),
        ({"cluster": {"slurm": {"memory": "1GB", "python": "python; rm -rf x"}}}, "match"),
        ({"cluster": {"slurm": {"memory": "1GB", "directives": ["-q x\nrm -rf x"]}}}, "one line"),
        ({"cluster": {"slurm": {"memory": "1GB", "jobs": 2, "minimum_jobs": 3}}}, "more than jobs"),
        ({"address": "head:8786"}, "match"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DaskOptions(**options)


def test_listing_the_plugin_does_not_import_dask() -> None:
    code = (
        "import sys, xpot_dask.hooks as h; h.xpot_register_executors(); "
        "sys.exit('distributed' in sys.modules or 'dask' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_task_of_the_contract_is_plain_data(folder: Path) -> None:
    task = _task(3, {}, folder)
    assert TrialTask.from_json(task.to_json()) == task


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("slurm", ["#SBATCH -p fast", "#SBATCH -A gold", "#SBATCH --cpus-per-task=8", "#SBATCH --mem=15G"]),
        (
            "pbs",
            ["#PBS -q fast", "#PBS -A gold", "#PBS -l select=1:ncpus=8:mem=15GB", "#PBS -l walltime=02:00"],
        ),
        ("sge", ["#$ -q fast", "#$ -P gold", "#$ -l h_rt=02:00"]),
        ("lsf", ["#BSUB -q fast", '#BSUB -P "gold"', "#BSUB -n 8", "#BSUB -W 02:00"]),
    ],
)
def test_job_script_says_what_was_asked_for(folder: Path, system: str, lines: list[str]) -> None:
    """Whether the batch system takes it is seen in ``test_batch.py``; of PBS and LSF there is none to ask."""
    jobqueue = pytest.importorskip("dask_jobqueue")
    job = JobOptions(
        memory="16GB", cores=8, walltime="02:00", queue="fast", account="gold",
        directives=["-x y"], prologue=["module load gap"], encrypted=False,
    )  # fmt: skip
    arguments = _job_arguments(system, job, slots=4, logs=folder)
    with getattr(jobqueue, _CLUSTERS[system])(**arguments) as cluster:
        script = cluster.job_script()
    for line in [*lines, "module load gap", f"{lines[0].split()[0]} -x y"]:
        assert line in script, script
    assert script.rindex("--nthreads 4") > script.index("--nthreads"), "the last one counts"


def test_grid_engine_is_asked_for_the_cores_of_a_job(caplog: pytest.LogCaptureFixture) -> None:
    for cores, directives, said in ((8, [], True), (8, ["-pe smp 8"], False), (1, [], False)):
        caplog.clear()
        warn_of_cores("sge", JobOptions(memory="1GB", cores=cores, directives=directives))
        assert ("-pe NAME 8" in caplog.text) is said
    caplog.clear()
    warn_of_cores("slurm", JobOptions(memory="1GB", cores=8))
    assert not caplog.text


def test_trials_share_gpus_as_a_resource(folder: Path) -> None:
    """Four places, one GPU: one trial at a time; a worker without one gets none."""
    with (
        processes(1, threads=4, resources={"GPU": 1}) as cluster,
        connected(folder, address=cluster.scheduler_address, gpus=1) as executor,
    ):
        begin = time.monotonic()
        for number in range(2):
            executor.submit(_task(number, {"seconds": 1.5}, folder))
        assert {one(executor).number, one(executor).number} == {0, 1}
        assert time.monotonic() - begin > 3.0
        assert executor.capacity == 1
    job = JobOptions(memory="4GB", cores=8)
    arguments = _job_arguments("slurm", job, 1, folder, gpus=1)
    assert arguments["worker_extra_args"] == ["--nthreads", "1", "--resources", "GPU=1"]
