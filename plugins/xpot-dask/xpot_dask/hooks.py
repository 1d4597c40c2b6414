"""What this plugin offers; imports nothing of dask."""

from __future__ import annotations

from xpot_core.api import ExecutorProvider, hookimpl
from xpot_dask.options import DaskOptions


@hookimpl
def xpot_register_executors() -> list[ExecutorProvider]:
    """`dask`."""
    return [
        ExecutorProvider(
            name="dask",
            summary="Workers of a dask cluster, or jobs of Slurm, PBS, SGE or LSF; they may come and go.",
            load="xpot_dask.executor:DaskExecutor",
            options=DaskOptions,
            packages=("distributed",),
            contract="xpot_dask.contract:CONTRACT",
            citation="M. Rocklin, Proc. 14th Python in Science Conf., 126 (2015)",
        )
    ]
