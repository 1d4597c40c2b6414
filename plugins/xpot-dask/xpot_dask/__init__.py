"""XPOT plugin: trials beyond one machine through dask.distributed."""
