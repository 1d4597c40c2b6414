"""From options to a scheduler with workers: on this machine, at an address, or as jobs of a batch system."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import dask.config
from distributed import Client, LocalCluster, Security

from xpot_core.api import InputError, XpotError
from xpot_dask.options import DaskOptions, JobOptions, TLSOptions

_logger = logging.getLogger("xpot")
_CLUSTERS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"}
_SUBMIT = {"slurm": "sbatch", "pbs": "qsub", "sge": "qsub", "lsf": "bsub"}
_CHARGED_TO = {"slurm": "account", "pbs": "account", "sge": "project", "lsf": "project"}
LOCAL_WORKERS = 2
_OWN_PAGES = "127.0.0.1:0"
"""Where the statistics are shown: a free port that only this machine reaches."""
# A trial is tried once more after its worker was lost, not three times as by default.
_SETTINGS = {"distributed.scheduler.allowed-failures": 1, "distributed.admin.log-length": 1000}


def connect(options: DaskOptions, directory: Path, base: Path) -> tuple[Client, Any | None]:
    """A client, and the cluster if it was made here.

    Parameters
    ----------
    options
        Of the executor.
    directory
        Run folder, for logs of jobs.
    base
        Folder that relative paths start from.

    Raises
    ------
    InputError
        If nothing answers at the address, or the batch system is not there.
    """
    _quieten()
    with dask.config.set(_SETTINGS):
        if options.address is not None:
            return _at_address(options, base), None
        cluster = _local(options) if options.cluster is None else _jobs(options, directory)
    return Client(cluster, timeout=options.timeout, set_as_default=False), cluster


def _quieten() -> None:
    """Dask reports every connection, and with a traceback each trial that is cancelled; ``--debug`` shows them."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    names = [
        n for n in logging.root.manager.loggerDict if n.split(".")[0] in ("distributed", "dask_jobqueue")
    ]
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _local(options: DaskOptions) -> Any:
    # One worker with threads, each of which watches a child process. Inside one process dask needs no
    # port, so that other users of the machine cannot send anything to it; its pages of statistics stay empty.
    quiet: dict[str, list[str] | None] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # The worker lives as long as this process; a computer that slept must not give it up.
        "distributed.scheduler.worker-ttl": None,
    }
    with dask.config.set(quiet):
        return LocalCluster(
            n_workers=1,
            threads_per_worker=1 if options.gpus else options.workers or LOCAL_WORKERS,
            resources=resources(options),
            processes=False,
            memory_limit=0,
            dashboard_address=_OWN_PAGES,
            worker_dashboard_address=_OWN_PAGES,
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
        )


def _at_address(options: DaskOptions, base: Path) -> Client:
    try:
        return Client(
            options.address,
            timeout=options.timeout,
            security=_security(options.tls, base),
            set_as_default=False,
        )
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"no dask scheduler answers: {error}",
            key="executor.dask.address",
            value=options.address,
            remedy="start one with `dask scheduler` and workers with `dask worker ADDRESS`, or correct the address",
        ) from error


def _security(tls: TLSOptions | None, base: Path) -> Security | None:
    if tls is None:
        return None
    files = {name: base / getattr(tls, name) for name in ("ca", "certificate", "key")}
    for name, path in files.items():
        if not path.is_file():
            raise InputError("there is no such file", key=f"executor.dask.tls.{name}", value=str(path))
    return Security(
        tls_ca_file=str(files["ca"]),
        tls_client_cert=str(files["certificate"]),
        tls_client_key=str(files["key"]),
        require_encryption=True,
    )


def resources(options: DaskOptions) -> dict[str, float]:
    """What a trial takes of its worker beside a place, and a worker made here has."""
    return {"GPU": 1.0} if options.gpus else {}


def places(options: DaskOptions) -> int:
    """Trials that one job runs at once."""
    assert options.cluster is not None
    if options.gpus:
        return 1
    return max(options.cluster.chosen[1].cores // options.threads, 1)


def _jobs(options: DaskOptions, directory: Path) -> Any:
    assert options.cluster is not None
    system, job = options.cluster.chosen
    key = f"executor.dask.cluster.{system}"
    if shutil.which(_SUBMIT[system]) is None:
        raise InputError(
            f"the command {_SUBMIT[system]} is not there",
            key=key,
            remedy="run xpot on a node that may submit jobs",
        )
    try:
        jobqueue = importlib.import_module("dask_jobqueue")
    except ImportError as error:
        raise InputError(
            "dask-jobqueue is not installed", key=key, remedy="pip install 'xpot-dask[jobqueue]'"
        ) from error
    warn_of_cores(system, job)
    logs = directory / "dask"
    if re.search(r"[^\w./@+=,-]", str(logs)):
        raise InputError(
            "batch systems take no blanks or special characters in the path of the run folder",
            key="--runs",
            value=str(directory),
            remedy="choose another folder with --runs",
        )
    logs.mkdir(parents=True, exist_ok=True)
    os.chmod(logs, 0o700)  # keys of the encryption lie here
    make = getattr(jobqueue, _CLUSTERS[system])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cluster = make(**_job_arguments(system, job, places(options), logs, gpus=options.gpus))
    except ImportError as error:
        raise InputError(
            str(error), key=f"{key}.encrypted", remedy="pip install 'xpot-dask[jobqueue]'"
        ) from error
    except (ValueError, OSError) as error:
        raise InputError(str(error), key=key) from error
    _submit(cluster, job, key)
    return cluster


def warn_of_cores(system: str, job: JobOptions) -> None:
    """Grid Engine, other than the others, is told the cores of a job in words that each site chooses."""
    if system == "sge" and job.cores > 1 and not any(line.startswith("-pe ") for line in job.directives):
        _logger.warning(
            "Grid Engine takes a job for one of a single core: ask for %d by a parallel environment, "
            "executor.dask.cluster.sge.directives: ['-pe NAME %d'] (qconf -spl lists the names)",
            job.cores,
            job.cores,
        )


def _job_arguments(system: str, job: JobOptions, slots: int, logs: Path, *, gpus: int = 0) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "cores": job.cores,
        "memory": job.memory,
        "processes": 1,
        "walltime": job.walltime,
        "job_name": "xpot",
        "log_directory": str(logs),
        "shared_temp_directory": str(logs),
        "job_extra_directives": list(job.directives),
        # Modules that lie where the job starts must not take the place of installed ones.
        "job_script_prologue": ["export PYTHONSAFEPATH=1", *job.prologue],
        # The last one counts: a place for each trial, not for each core.
        "worker_extra_args": [
            "--nthreads",
            str(slots),
            *(["--resources", f"GPU={gpus}"] if gpus else []),
        ],
        "scheduler_options": {"dashboard": False, "dashboard_address": _OWN_PAGES},
        "security": job.encrypted or None,
    }
    optional = {
        "queue": job.queue,
        _CHARGED_TO[system]: job.account,
        "python": job.python,
        "interface": job.interface,
    }
    return arguments | {name: value for name, value in optional.items() if value is not None}


def _submit(cluster: Any, job: JobOptions, key: str) -> None:
    """Submit the first jobs, so that a refusal is told at once, and let dask keep their number."""
    first = max(job.minimum_jobs if job.minimum_jobs is not None else job.jobs, 1)
    try:
        cluster.sync(_first_jobs, cluster, first)
    except (RuntimeError, ValueError, OSError) as error:
        cluster.worker_spec.clear()
        with contextlib.suppress(Exception):
            cluster.close(timeout=5)
        raise XpotError(
            f"{key}: the batch system refused a job: {_last_words(str(error))}",
            remedy="correct the options of the job; this is its script:\n" + cluster.job_script(),
        ) from error
    cluster.adapt(
        minimum_jobs=job.jobs if job.minimum_jobs is None else job.minimum_jobs,
        maximum_jobs=job.jobs,
        interval="5s",
        wait_count=6,
    )


async def _first_jobs(cluster: Any, n: int) -> None:
    # `cluster.scale` would submit in the background and log what goes wrong with a traceback.
    for _ in range(n):
        cluster.worker_spec.update(cluster.new_worker_spec())
    await cluster._correct_state()


def _last_words(text: str) -> str:
    stderr = text.rpartition("stderr:")[2].strip() or text
    return " ".join(stderr.split())
