"""What an inner search found in one trial of a nested study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class InnerSearchResult:
    """The regression options that an inner search chose, and the way there.

    Attributes
    ----------
    values
        Hyperparameter name -> value found.
    default_loss
        Loss at the defaults of these hyperparameters.
    method
        ``gradient`` or ``derivative-free``.
    held_out
        The fold that the search did not see; None without one.
    stopped
        What ended it: ``converged``, ``iterations`` or ``held-out fold``.
    evaluations
        Number of points at which errors were computed.
    path
        Loss at each iteration, and that of the fold held out; one start after the other.
    """

    values: Mapping[str, float]
    default_loss: float
    method: str
    held_out: int | None
    stopped: str
    evaluations: int
    path: Sequence[tuple[float, float | None]]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form; ``InnerSearchResult(**data)`` reads it."""
        return asdict(self)
