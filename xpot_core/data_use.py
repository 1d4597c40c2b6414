"""What a study makes of its data: what the fitter and the loss need, and what stays unused."""

from __future__ import annotations

from xpot_core.errors import InputError
from xpot_core.interfaces import Provider
from xpot_core.types import FRAME_LABELS, TrainingData


def check_labels(provider: Provider, data: TrainingData) -> None:
    """Refuse labels of single frames that a fitter would leave unused: they must not vanish.

    Raises
    ------
    InputError
        With the key that turns the label off.
    """
    frames = data.training().frames
    for label in FRAME_LABELS:
        own = [f for f in frames if f.label(label) is not None]
        if own and label not in provider.frame_labels:
            raise InputError(
                f"{len(own)} training frames have it, {own[0].source} the first, and fitter '{provider.name}' does "
                "not fit by it",
                key=f"data.keys.{label}",
                remedy=f"write data.keys.{label}: null to do without it, or choose a fitter that uses it",
            )
