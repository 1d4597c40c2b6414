"""All that a training needs to go on as if it had never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

_FILE = "state.pt"


class TrainingState:
    """Where a training stands.

    Attributes
    ----------
    epoch
        Epochs done.
    loss
        The last loss on the validation structures.
    """

    def __init__(self, model: Any, optimizer: Any, lr_scheduler: Any, swa: Any, ema: Any) -> None:
        self.epoch = 0
        self.loss = float("inf")
        self._model = model
        self._parts = {"model": model, "optimizer": optimizer, "lr_scheduler": lr_scheduler.lr_scheduler}
        if swa is not None:
            self._parts["swa"] = swa.scheduler
        if ema is not None:
            self._parts["ema"] = ema
        self._best: dict[str, Any] | None = None
        self._lowest = float("inf")
        self._best_epoch = 0

    def done(self, epoch: int, loss: float, *, best: bool) -> None:
        """Count an epoch; the model holds the weights that its loss is of.

        Parameters
        ----------
        best
            Whether to remember the weights of the lowest loss.
        """
        self.epoch, self.loss = epoch, loss
        if best and loss < self._lowest:
            self._lowest, self._best_epoch = loss, epoch
            self._best = {name: value.detach().clone() for name, value in self._model.state_dict().items()}

    def forget_best(self) -> None:
        """Begin anew with what is best: the loss is another one from now on."""
        self._best, self._lowest = None, float("inf")

    def take_best(self) -> int:
        """Put the weights of the lowest loss into the model, and say of which epoch they are."""
        assert self._best is not None
        self._model.load_state_dict(self._best)
        return self._best_epoch

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""
        content = {name: part.state_dict() for name, part in self._parts.items()}
        content["progress"] = [self.epoch, self.loss, self._lowest, self._best_epoch]
        content["best"] = self._best
        torch.save(content, folder / _FILE)

    def load(self, folder: Path, device: Any) -> None:
        """Go on from a checkpoint; it holds numbers alone, so nothing in it is run."""
        content = torch.load(folder / _FILE, map_location=device, weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(content[name])
        self.epoch, self.loss, self._lowest, self._best_epoch = content["progress"]
        self._best = content["best"]
