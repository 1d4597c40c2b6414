"""The dask executor keeps the contract; workers that come, go and die."""

from __future__ import annotations

from typing import ClassVar

from xpot_core.testing import ExecutorContract


class TestLocalCluster(ExecutorContract):
    provider = "dask"
    options: ClassVar = {"workers": 2}
