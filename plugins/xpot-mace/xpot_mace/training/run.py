"""One training: mace reads the configuration and makes model, data and optimizer; the epochs are counted here.

``mace_run_train`` cannot be stopped and gone on with as if nothing had been: it keeps the best model alone, without
the average of the weights and the order of structures. So its function ``train`` is replaced by a loop over its
own `train_one_epoch`; the rest is run as it is.
"""

from __future__ import annotations

import contextlib
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import mace
import numpy as np
import torch
from mace import tools
from mace.cli import run_train
from mace.tools.scripts_utils import remove_pt_head
from mace.tools.train import preserve_grad_state, train_one_epoch

from xpot_mace.run_train.config import CONFIG
from xpot_mace.training.messages import Done, Epoch, Job, Keep, Kept, Stop
from xpot_mace.training.state import TrainingState


class Stopping(Exception):
    """The study wants no more of this training."""


class NotFiniteError(Exception):
    """The loss is not a number."""


class MissingGpuError(Exception):
    """A GPU is asked for and there is none."""


class _TrainedError(Exception):
    """Leaves mace's program, whose tables and plots at the end nobody needs."""

    def __init__(self, done: Done) -> None:
        self.done = done


def run(job: Job, connection: Connection) -> Done:
    """Train as told, and report every epoch."""
    device = _device(job.device)
    torch.set_num_threads(job.threads)
    # stage two stands ready even where it is not reached: a longer training may go on from this one
    last = max(job.epochs, (job.start_swa or 0) + 1)
    arguments = ["--config", CONFIG, "--device", device, "--max_num_epochs", str(last)]
    arguments += ["--plot", "False", "--num_workers", "0", "--pin_memory", str(device == "cuda")]
    args = tools.build_default_arg_parser().parse_args(arguments)
    _fit_batch(args)

    def train(**given: Any) -> None:
        raise _TrainedError(_train(job, connection, **given))

    before, tools.train = tools.train, train
    try:
        run_train.run(args)
    except _TrainedError as trained:
        return trained.done
    finally:
        tools.train = before
        if device == "cuda":
            torch.cuda.empty_cache()
    raise RuntimeError("mace_run_train did not train")


def _device(wanted: str) -> str:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise MissingGpuError("device: cuda is wanted, but torch finds no GPU")
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def _fit_batch(args: Any) -> None:
    """A batch of more structures than there are would be left out as incomplete."""
    from ase.io import iread

    count = sum(1 for _ in iread(args.train_file, ":"))
    args.batch_size = min(args.batch_size, count)


class _NoLogger:
    """Takes what mace writes down of every step."""

    def log(self, values: dict[str, Any]) -> None:
        """Forget it."""


def _train(
    job: Job,
    connection: Connection,
    *,
    model: Any,
    loss_fn: Any,
    train_loader: Any,
    valid_loaders: dict[str, Any],
    optimizer: Any,
    lr_scheduler: Any,
    output_args: dict[str, bool],
    device: Any,
    swa: Any,
    ema: Any,
    max_grad_norm: float | None,
    **others: Any,
) -> Done:
    """The loop of `mace.tools.train.train`, with a state that is kept whole."""
    state = TrainingState(model, optimizer, lr_scheduler, swa, ema)
    if job.resume_from is not None:
        state.load(job.resume_from, device)
    loader = valid_loaders["Default"]
    for epoch in range(state.epoch, job.epochs):
        if swa is None or epoch < swa.start:
            if epoch > 0:
                lr_scheduler.step(metrics=state.loss)
        else:
            if epoch == swa.start:
                state.forget_best()
            loss_fn = swa.loss_fn
            if epoch > 0:
                swa.scheduler.step()
        _seed(job.seed, epoch, train_loader)
        train_one_epoch(
            model=model,
            loss_fn=loss_fn,
            data_loader=train_loader,
            optimizer=optimizer,
            epoch=epoch,
            output_args=output_args,
            max_grad_norm=max_grad_norm,
            ema=ema,
            logger=_NoLogger(),
            device=device,
            distributed=False,
        )
        with ema.average_parameters() if ema is not None else contextlib.nullcontext():
            found = _evaluate(model, loss_fn, loader, epoch + 1, device)
            if not np.isfinite(found.loss):
                raise NotFiniteError(f"the loss is not a number after epoch {epoch + 1}")
            state.done(epoch + 1, found.loss, best=job.best_epoch)
        print(f"epoch {epoch + 1}: loss {found.loss:.8g} on the validation structures", flush=True)
        connection.send(found)
        _obey(connection, state)
    with ema.average_parameters() if ema is not None else contextlib.nullcontext():
        of_epoch = state.take_best() if job.best_epoch else state.epoch
        _save(model, job.model)
    facts = {
        "mace": mace.__version__,
        "torch": torch.__version__,
        "device": str(device),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": state.epoch,
        "of_epoch": of_epoch,
    }
    return Done(facts)


def _obey(connection: Connection, state: TrainingState) -> None:
    while True:
        order = connection.recv()
        if isinstance(order, Stop):
            raise Stopping
        if not isinstance(order, Keep):
            return
        state.save(Path(order.folder))
        connection.send(Kept())


def _seed(seed: int, epoch: int, loader: Any) -> None:
    """Whatever is random in an epoch depends on the seed and its number."""
    number = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    torch.manual_seed(number)
    loader.generator.manual_seed(number)


def _evaluate(model: Any, loss_fn: Any, loader: Any, step: int, device: Any) -> Epoch:
    """The loss as `mace.tools.train.evaluate` has it, and all predictions."""
    total, count = 0.0, 0
    energies, forces, virials = [], [], []
    with preserve_grad_state(model):
        for batch in loader:
            batch = batch.to(device)
            found = model(
                batch.to_dict(), training=False, compute_force=True, compute_virials=True, compute_stress=True
            )
            total += float(loss_fn(pred=found, ref=batch))
            count += int(batch.num_graphs)
            ends = batch.ptr.cpu().numpy()
            own = _numbers(found["forces"])
            energies.append(_numbers(found["energy"]))
            forces += [own[a:b] for a, b in pairwise(ends)]
            virials.append(_numbers(found["virials"]))
    return Epoch(step, total / count, np.concatenate(energies), forces, np.concatenate(virials))


def _numbers(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy().astype(float)


def _save(model: Any, path: Path) -> None:
    """Write the model as mace does; of several heads the one that was trained on the study's structures."""
    if len(getattr(model, "heads", None) or []) > 1:
        model = remove_pt_head(model, "Default")
    torch.save(model.to("cpu"), path)
