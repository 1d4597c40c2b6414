"""What a study makes of its data: what the fitter and the loss need, and what stays unused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xpot_core.errors import InputError
from xpot_core.options.find import option_of
from xpot_core.plugins.interfaces import Component, DemandingLoss, FitterProvider, Loss, Provider
from xpot_core.space.parameters import Space
from xpot_core.types.structures import EVALUATE_ONLY, FRAME_LABELS, Frame, TrainingData


def check_labels(provider: FitterProvider, data: TrainingData) -> None:
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


def check_loss(loss: Component[Loss], data: TrainingData) -> None:
    """Refuse a loss of quantities that no frame of the validation set has: every trial would fail.

    Raises
    ------
    InputError
        With what to write instead.
    """
    if not isinstance(loss.instance, DemandingLoss):
        return
    folds = [fold >= 0 if data.fold_numbers else fold == EVALUATE_ONLY for fold in data.folds]
    judged = [frame for frame, own in zip(data.frames, folds, strict=True) if own]
    for quantity, instead in loss.instance.needs().items():
        if not any(_has(frame, quantity) for frame in judged):
            raise InputError(
                f"the loss weighs {_PLURAL[quantity]}, and no frame of the validation set has any",
                key=f"loss.{loss.name}",
                remedy=f"write {instead} to do without, or name them under data.keys",
            )


def without_effect(provider: Provider, space: Space, data: TrainingData) -> Iterator[str]:
    """One sentence on the hyperparameters that weigh what the training frames do not have."""
    frames = data.training().frames
    idle: dict[str, list[str]] = {}
    for name in space.names:
        declared, group = option_of(provider.options, name)
        quantity = declared.info.role.weighs if declared.info.role is not None else ""
        own = [f for f in frames if group in ("", f.group)]
        if quantity and group in ("", *data.groups) and not any(_has(frame, quantity) for frame in own):
            idle.setdefault(quantity, []).append(name)
    if idle:
        parts = [f"{_listed(names)} (no {_PLURAL[q]} there)" for q, names in idle.items()]
        yield f"searched without effect on these data: {'; '.join(parts)}"


_PLURAL = {"energy": "energies", "force": "forces", "virial": "virials"}


def _has(frame: Frame, quantity: str) -> bool:
    if quantity == "force":
        return frame.counted is not None and frame.counted.size > 0
    return getattr(frame, quantity) is not None


def _listed(names: Iterable[str], most: int = 4) -> str:
    found = list(names)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + rest
