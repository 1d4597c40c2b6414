"""Options of the dask executor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from xpot_core.api import ExecutorOptions, OptionsModel, option

_WORD = r"^[\w.:@/+=,-]+$"
"""What goes into a job script as one word; nothing in it means anything to a shell."""
_LINE = r"^[^\n\r]*$"


class JobOptions(OptionsModel):
    """One batch job that holds workers."""

    memory: str = option(..., "Memory of a job, e.g. 16GB.", pattern=_WORD)
    cores: int = option(1, "Cores of a job; it runs cores / threads trials at once.", ge=1)
    walltime: str = option(
        "01:00:00",
        "Time limit of a job in the batch system's notation; a new job follows one that ends.",
        pattern=_WORD,
    )
    jobs: int = option(1, "Jobs that run at once.", ge=1)
    minimum_jobs: int | None = option(
        None,
        "Jobs that are kept when there is less to do; by default all of them until the study ends.",
        ge=0,
    )
    queue: str | None = option(None, "Partition or queue.", pattern=_WORD)
    account: str | None = option(None, "Account or project that is charged for the jobs.", pattern=_WORD)
    directives: list[str] = option(
        list,
        "Further directives of the job script, without the prefix (#SBATCH, #PBS ...).",
        needs_trust=True,
    )
    prologue: list[str] = option(
        list, "Shell commands that a job runs first, such as module load.", needs_trust=True
    )
    python: str | None = option(
        None,
        "Python of the jobs, with the same packages; by default the one that runs xpot.",
        needs_trust=True,
        pattern=_WORD,
    )
    interface: str | None = option(
        None, "Network interface that jobs and xpot reach each other by, such as ib0.", pattern=_WORD
    )
    encrypted: bool = option(
        True,
        "TLS with certificates made for this run, so that nobody else on the network can send work to the jobs.",
    )

    @model_validator(mode="after")
    def _lines(self) -> Self:
        if any("\n" in line or "\r" in line for line in [*self.directives, *self.prologue]):
            raise ValueError("directives and prologue hold one line an entry")
        if self.minimum_jobs is not None and self.minimum_jobs > self.jobs:
            raise ValueError("minimum_jobs is more than jobs")
        return self


class ClusterOptions(OptionsModel):
    """The batch system that workers are jobs of: one of them."""

    slurm: JobOptions | None = option(None, "Jobs of Slurm (sbatch).")
    pbs: JobOptions | None = option(None, "Jobs of PBS (qsub).")
    sge: JobOptions | None = option(None, "Jobs of Grid Engine (qsub).")
    lsf: JobOptions | None = option(None, "Jobs of LSF (bsub).")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(list(self._given())) != 1:
            raise ValueError("name one batch system: slurm, pbs, sge or lsf")
        return self

    def _given(self) -> Iterator[tuple[str, JobOptions]]:
        for name in type(self).model_fields:
            job = getattr(self, name)
            if job is not None:
                yield name, job

    @property
    def chosen(self) -> tuple[str, JobOptions]:
        """Name of the batch system and its jobs."""
        return next(self._given())


class TLSOptions(OptionsModel):
    """Certificates of a scheduler that asks for TLS; relative paths start at the study file."""

    ca: str = option(..., "File with the certificate of the authority.")
    certificate: str = option(..., "File with the certificate of this client.")
    key: str = option(..., "File with its key.")


class DaskOptions(ExecutorOptions):
    """Options of ``dask``."""

    workers: int | None = option(
        None,
        "Most trials at once; by default 2 in a cluster on this machine, else as many as the cluster has places.",
        ge=1,
    )
    address: str | None = option(
        None,
        "Scheduler to use, e.g. tcp://head:8786; without it and without cluster, one on this machine is made.",
        needs_trust=True,
        pattern=r"^(tcp|tls|ucx|ws|wss)://\S+$",
    )
    cluster: ClusterOptions | None = option(None, "Batch system whose jobs become the workers.")
    tls: TLSOptions | None = option(None, "Certificates for a scheduler at an address tls://.")
    gpus: int = option(
        0,
        "1: each trial takes one GPU, a resource of the workers. There is one worker for each GPU: started with dask "
        "worker --nthreads 1 --resources GPU=1, or a job that asks for one by directives, such as --gres=gpu:1.",
        ge=0,
        le=1,
    )
    timeout: float = option(30.0, "How long to wait for the answer of a scheduler.", unit="s", gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.address and self.cluster:
            raise ValueError("address and cluster exclude each other")
        if self.tls and not self.address:
            raise ValueError("tls belongs to an address; jobs of a batch system have their own (encrypted)")
        return self
