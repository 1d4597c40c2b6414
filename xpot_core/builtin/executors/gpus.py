"""Which GPU a worker takes: one of its own, by the variable that CUDA goes by."""

from __future__ import annotations

import os
from collections.abc import Collection

from xpot_core.errors import InputError

VARIABLE = "CUDA_VISIBLE_DEVICES"


def devices(count: int) -> tuple[str, ...]:
    """The first GPUs that this process may use, as CUDA names them.

    Parameters
    ----------
    count
        How many are wanted.

    Raises
    ------
    InputError
        If a batch system, or whoever set the variable, left fewer.
    """
    given = os.environ.get(VARIABLE)
    # without the variable all are visible; how many there are, a driver knows, which the core does not ask
    known = [str(i) for i in range(count)] if given is None else [d for d in given.split(",") if d.strip()]
    if len(known) < count:
        raise InputError(
            f"only {len(known)} are visible: {VARIABLE}={given}",
            key="executor.local.gpus",
            value=count,
            remedy="lower it, or ask for more GPUs",
        )
    return tuple(known[:count])


def free_device(all_devices: Collection[str], taken: Collection[str | None]) -> str | None:
    """The first device that nobody has; None where there are none at all."""
    return next((d for d in all_devices if d not in taken), None)
