"""The dask executor keeps the contract; workers that come, go and die."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xpot_dask.executor as module
from distributed import LocalCluster, Security
from xpot_dask.executor import DaskExecutor
from xpot_dask.options import DaskOptions

from xpot_core.api import ExecutorContext, InputError, TrialResult, TrialState, TrialTask, XpotError
from xpot_core.testing import ExecutorContract, contract_class
from xpot_core.testing.executor import _FAULTY, _context, _run, _task
from xpot_core.testing.frames import frames, write_frames

_PATIENCE = 90.0


TestLocalCluster = contract_class("executor", "dask")


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Any]:
    with _processes(2) as cluster:
        yield cluster


@contextlib.contextmanager
def _processes(n: int, **options: Any) -> Iterator[Any]:
    """A scheduler with worker processes under nannies, as on a cluster."""
    with LocalCluster(
        n_workers=n,
        threads_per_worker=1,
        processes=True,
        memory_limit=0,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        **options,
    ) as cluster:
        yield cluster


@pytest.mark.slow
class TestAtAddress(ExecutorContract):
    """The same rules with workers that are processes, at a scheduler made by somebody else."""

    provider = "dask"

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def _address(shared_cluster: Any) -> None:
        TestAtAddress.options = {"address": shared_cluster.scheduler_address}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_frames(tmp_path / "train.xyz", frames()[:6])
    return tmp_path


@contextlib.contextmanager
def _executor(folder: Path, **options: Any) -> Iterator[DaskExecutor]:
    executor = DaskExecutor(DaskOptions(**options))
    executor.start(_context(_FAULTY, folder))
    try:
        yield executor
    finally:
        executor.close(cancel=True)


def _refused(folder: Path, **options: Any) -> None:
    DaskExecutor(DaskOptions(**options)).start(_context(_FAULTY, folder))


def _until(executor: DaskExecutor, done: Callable[[], bool]) -> list[TrialResult]:
    results: list[TrialResult] = []
    deadline = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < deadline, "waited for too long"
        results += executor.collect(timeout=0.2)
    return results


def _at_work(executor: DaskExecutor, number: int, times: int = 1) -> Callable[[], bool]:
    return lambda: executor._begun[number] >= times


def _worker_pids(cluster: Any) -> dict[str, int]:
    return {w.worker_address: w.process.process.pid for w in cluster.workers.values() if w.process.process}


def _one(executor: DaskExecutor) -> TrialResult:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = executor.collect(timeout=1.0)
        if found:
            return found[0]
    raise AssertionError("no result")


def test_trial_of_a_killed_worker_runs_once_more_elsewhere(folder: Path) -> None:
    with _processes(2) as cluster, _executor(folder, address=cluster.scheduler_address) as executor:
        executor.submit(_task(0, {"seconds": 2.0}, folder))
        assert _until(executor, _at_work(executor, 0)) == []
        os.kill(_worker_pids(cluster)[executor._where[0]], signal.SIGKILL)
        result = _one(executor)
        assert result.state is TrialState.COMPLETE
        assert executor._begun[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [1, 3], ids=["our-setting", "foreign-setting"])
def test_trial_that_loses_its_worker_twice_fails(folder: Path, allowed: int) -> None:
    with _processes(2) as cluster, _executor(folder, address=cluster.scheduler_address) as executor:
        cluster.scheduler.allowed_failures = allowed
        executor.submit(_task(0, {"mode": "hang"}, folder))
        for times in (1, 2):
            assert _until(executor, _at_work(executor, 0, times)) == []
            os.kill(_worker_pids(cluster)[executor._where[0]], signal.SIGKILL)
        result = _one(executor)
        assert result.state is TrialState.FAILED
        assert result.failure is not None
        assert "lost 2 times" in result.failure.message
        assert result.failure.retryable
        assert result.failure.plugin == "executor dask"
        # The workers came back and work on.
        executor.submit(_task(1, {}, folder))
        assert _one(executor).state is TrialState.COMPLETE
    ExecutorContract._nobody_is_left()


@pytest.mark.slow
def test_worker_told_to_close_gives_its_trial_back(folder: Path) -> None:
    with _processes(2) as cluster, _executor(folder, address=cluster.scheduler_address) as executor:
        executor.submit(_task(0, {"seconds": 3.0}, folder))
        assert _until(executor, _at_work(executor, 0)) == []
        nanny = next(w for w in cluster.workers.values() if w.worker_address == executor._where[0])
        os.kill(nanny.process.process.pid, signal.SIGTERM)
        result = _one(executor)
        assert result.state is TrialState.COMPLETE, result.failure


@pytest.mark.slow
def test_capacity_follows_the_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFRESH_SECONDS", 0.05)
    with _processes(0) as cluster, _executor(folder, address=cluster.scheduler_address) as executor:
        assert executor.capacity == 1, "a trial waits for the first worker"
        executor.submit(_task(0, {}, folder))
        assert executor.collect(timeout=0.5) == []
        cluster.scale(3)
        assert _one(executor).state is TrialState.COMPLETE
        _until(executor, lambda: executor.capacity == 3)
        results = _run(executor, folder, [{"level": 0.1 * i} for i in range(9)])
        assert len(results) == 9
        # A late worker was sent what all trials share.
        assert len({r.worker for r in results}) >= 2
        cluster.scale(1)
        _until(executor, lambda: executor.capacity == 1)
    with (
        _processes(3) as cluster,
        _executor(folder, address=cluster.scheduler_address, workers=2) as executor,
    ):
        _until(executor, lambda: executor._connected() == 3)
        assert executor.capacity == 2


def test_data_are_read_once_by_each_worker(folder: Path) -> None:
    with _executor(folder, workers=2) as executor:
        results = _run(executor, folder, [{"level": 0.1 * i} for i in range(8)])
    assert len({r.worker for r in results}) <= 2, "children were not kept"
    assert len(list((folder / "workers").glob("worker-*.log"))) <= 2


def test_lost_scheduler_is_told_and_nothing_is_failed(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--host",
         "127.0.0.1", "--scheduler-file", str(folder / "scheduler.json")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        import json

        while not (folder / "scheduler.json").is_file() or not (folder / "scheduler.json").read_text():
            time.sleep(0.1)
        address = json.loads((folder / "scheduler.json").read_text())["address"]
        with _executor(folder, address=address, timeout=3.0) as executor:
            executor.submit(_task(0, {}, folder))
            assert executor.collect(timeout=0.5) == []
            process.kill()
            process.wait()
            with pytest.raises(XpotError, match="is gone") as caught:
                _one(executor)
            assert "nothing is lost" in (caught.value.remedy or "")
    finally:
        process.kill()
        process.wait()


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
        failure = _one(executor).failure
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
    with _processes(1, security=security, protocol="tls://") as cluster:
        with _executor(folder, address=cluster.scheduler_address, tls=tls) as executor:
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
    with _executor(folder, workers=2) as executor:
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
    assert TrialTask(**task.to_json()) == task
