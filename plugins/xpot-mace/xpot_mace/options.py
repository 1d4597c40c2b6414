"""Options of the fitter ``mace``: named as those of ``mace_run_train``, importable without torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from xpot_core.api import OptionsModel, PerGroup, Range, option

_WEIGHT = Range(0.1, 1000.0, log=True)


class Architecture(OptionsModel):
    """What the network is. The defaults are for CPUs; those of mace are in brackets where they differ."""

    model: Literal["MACE", "ScaleShiftMACE"] = option(
        "MACE", "Class of the model; ScaleShiftMACE also shifts the atomic energies.", tunable=False
    )
    r_max: float = option(5.0, "Cutoff radius.", tune=Range(3.5, 6.0), role="cutoff", gt=0.0)
    num_channels: int = option(
        16, "Channels of the messages [128].", unit="", tune=Range(8, 64, log=True), role="size", ge=1
    )
    max_L: int = option(
        0,
        "Highest angular momentum of the messages [1]; 0 is the fastest.",
        unit="",
        tune=Range(0, 1),
        converges=True,
        ge=0,
        le=3,
    )
    num_interactions: int = option(
        2,
        "Layers of message passing; the potential sees num_interactions * r_max far.",
        unit="",
        tune=Range(1, 2),
        converges=True,
        ge=1,
        le=4,
    )
    correlation: int = option(
        2,
        "Order of correlation in each layer [3]: body order minus one.",
        unit="",
        tune=Range(1, 3),
        converges=True,
        ge=1,
        le=4,
    )
    max_ell: int = option(
        2,
        "Highest angular momentum of the spherical harmonics [3].",
        unit="",
        tune=Range(1, 3),
        converges=True,
        ge=0,
        le=4,
    )
    num_radial_basis: int = option(8, "Number of radial functions.", unit="", tune=Range(4, 12), ge=1)
    num_cutoff_basis: int = option(
        5, "Power of the polynomial that ends at the cutoff.", unit="", tune=Range(3, 8), ge=2
    )
    radial_type: Literal["bessel", "gaussian", "chebyshev"] = option(
        "bessel", "Kind of radial functions.", tunable=False
    )
    distance_transform: Literal["None", "Agnesi", "Soft"] = option(
        "None", "What becomes of a distance before the radial functions.", tunable=False
    )
    pair_repulsion: bool = option(False, "Add the repulsion of ZBL at short distances.", tunable=False)
    radial_MLP: list[int] = option(
        lambda: [64, 64, 64], "Widths of the network over the radial functions.", unit="", tunable=False
    )
    MLP_irreps: str = option("16x0e", "Hidden features of the last readout.", tunable=False)
    gate: Literal["silu", "tanh", "abs", "None"] = option(
        "silu", "Non-linearity of the last readout.", tunable=False
    )
    interaction: Literal[
        "RealAgnosticResidualInteractionBlock",
        "RealAgnosticDensityResidualInteractionBlock",
        "RealAgnosticAttResidualInteractionBlock",
    ] = option("RealAgnosticResidualInteractionBlock", "Block of each layer.", tunable=False)
    interaction_first: Literal[
        "RealAgnosticInteractionBlock",
        "RealAgnosticDensityInteractionBlock",
        "RealAgnosticResidualInteractionBlock",
    ] = option("RealAgnosticResidualInteractionBlock", "Block of the first layer.", tunable=False)
    scaling: Literal["rms_forces_scaling", "std_scaling", "no_scaling"] = option(
        "rms_forces_scaling", "What the output is scaled by.", tunable=False
    )


class LossWeights(OptionsModel):
    """What the training minimises; no less and no more than the loss of mace."""

    loss: Literal["weighted", "stress", "virials", "huber", "universal"] = option(
        "weighted",
        "Loss of the training: energies and forces (weighted), or virials too in one form or another.",
        tunable=False,
    )
    energy_weight: float = option(1.0, "Weight of energies.", tune=_WEIGHT, role="weight:energy", ge=0.0)
    forces_weight: float = option(100.0, "Weight of forces.", tune=_WEIGHT, role="weight:force", ge=0.0)
    stress_weight: float = option(
        1.0,
        "Weight of stresses, with loss stress, huber or universal.",
        tune=_WEIGHT,
        role="weight:virial",
        ge=0.0,
    )
    virials_weight: float = option(
        1.0, "Weight of virials, with loss virials.", tune=_WEIGHT, role="weight:virial", ge=0.0
    )
    huber_delta: float = option(
        0.01,
        "Where huber and universal turn from square to linear.",
        unit="",
        tune=Range(1e-3, 0.1, log=True),
        gt=0.0,
    )
    config_type_weights: PerGroup[float] = option(
        1.0,
        "Weight of all structures of a group.",
        unit="",
        tune=Range(0.1, 10.0, log=True),
        per="group",
        ge=0.0,
    )
    E0s: Literal["isolated", "average", "foundation"] | dict[str, float] = option(
        "isolated",
        "Energy of an atom of each element in eV: those of the study's isolated atoms (where an element has none, "
        "what fits the energies best), what fits best (average), those of the foundation model, or as given.",
        tunable=False,
    )


class Training(OptionsModel):
    """How the network is trained."""

    optimizer: Literal["adam", "adamw"] = option("adam", "Optimizer of the weights.", tunable=False)
    lr: float = option(0.01, "Learning rate.", unit="", tune=Range(1e-3, 0.03, log=True), gt=0.0)
    batch_size: int = option(
        10,
        "Structures in one step; where there are fewer, all of them. An incomplete last batch is left out, by chance "
        "another one in each epoch.",
        unit="",
        tune=Range(2, 32, log=True),
        ge=1,
    )
    valid_batch_size: int = option(10, "Structures that are evaluated at once.", unit="", tunable=False, ge=1)
    weight_decay: float = option(
        5e-7,
        "Penalty on the size of the weights.",
        unit="",
        tune=Range(1e-8, 1e-3, log=True),
        role="ridge",
        ge=0.0,
    )
    amsgrad: bool = option(True, "The variant AMSGrad of the optimizer.", tunable=False)
    beta: float = option(0.9, "Memory of the slope in the optimizer.", unit="", tunable=False, ge=0.0, lt=1.0)
    clip_grad: float | None = option(
        10.0, "Largest norm of a slope; null for none.", unit="", tunable=False, gt=0.0
    )
    ema: bool = option(True, "Take the exponential moving average of the weights [false].", tunable=False)
    ema_decay: float = option(
        0.99, "Memory of that average.", unit="", tune=Range(0.9, 0.999), gt=0.0, lt=1.0
    )
    scheduler: Literal["ReduceLROnPlateau", "ExponentialLR"] = option(
        "ReduceLROnPlateau", "How the learning rate falls.", tunable=False
    )
    lr_factor: float = option(
        0.8, "Factor on the learning rate at a plateau.", unit="", tune=Range(0.3, 0.9), gt=0.0, lt=1.0
    )
    scheduler_patience: int = option(
        50, "Epochs without a gain that make a plateau.", unit="epochs", tune=Range(2, 50, log=True), ge=0
    )
    lr_scheduler_gamma: float = option(
        0.9993,
        "Factor on the learning rate after each epoch, with ExponentialLR.",
        unit="",
        tune=Range(0.95, 0.9999),
        gt=0.0,
        le=1.0,
    )
    start_swa: int | None = option(
        None,
        "Epoch where stage two begins, with other weights and another learning rate; null for none. It is counted, "
        "no share of max_num_epochs, so that a training may be continued.",
        unit="epochs",
        tunable=False,
        ge=1,
    )
    swa_lr: float = option(
        1e-3, "Learning rate of stage two.", unit="", tune=Range(1e-4, 1e-2, log=True), gt=0.0
    )
    swa_energy_weight: float = option(
        1000.0, "Weight of energies in stage two.", unit="", tune=Range(10.0, 1e4, log=True), ge=0.0
    )
    swa_forces_weight: float = option(100.0, "Weight of forces in stage two.", unit="", tunable=False, ge=0.0)
    swa_stress_weight: float = option(
        10.0, "Weight of stresses in stage two.", unit="", tunable=False, ge=0.0
    )
    swa_virials_weight: float = option(
        10.0, "Weight of virials in stage two.", unit="", tunable=False, ge=0.0
    )
    max_num_epochs: int = option(
        100, "Epochs of the training: how often every structure is seen [2048].", role="steps", ge=1
    )


class FineTuning(OptionsModel):
    """A training that starts from a given model, whose architecture it keeps."""

    foundation_model: str | None = option(
        None,
        "File of a MACE model to start from, from the working folder on; nothing is downloaded. Its architecture and "
        "cutoff take the place of the options of the architecture. Loading it runs code of the file.",
        tunable=False,
        needs_trust=True,
    )
    foundation_head: str | None = option(
        None, "Which head of the foundation model, where it has several.", tunable=False
    )
    freeze: int | None = option(
        None,
        "How much of the network stays as it is: 1 embedding, 5 also interactions, 6 also products, 7 also readouts.",
        unit="",
        tunable=False,
        ge=1,
        le=6,
    )
    pt_train_file: str | None = option(
        None,
        "Structures that the foundation model was trained on: they are replayed by a head of their own, so that "
        "less is forgotten (mace's multihead fine-tuning; its loss is then universal).",
        tunable=False,
        needs_trust=True,
    )
    weight_pt_head: float = option(1.0, "Weight of the replayed structures.", unit="", tunable=False, ge=0.0)


class MaceOptions(FineTuning, Training, LossWeights, Architecture):
    """MACE networks."""

    default_dtype: Literal["float32", "float64"] = option(
        "float64", "Precision of the training and of the model.", tunable=False
    )
    device: Literal["cpu", "cuda", "auto"] = option(
        "auto", "Where it is trained; auto takes a GPU where there is one.", tunable=False
    )
    seed: int | None = option(
        None,
        "Seed of the first weights and of the order of structures; that of the study by default.",
        unit="",
        tunable=False,
        ge=0,
    )
    best_epoch: bool = option(
        True,
        "The potential is that of the epoch with the lowest loss on the held-out structures, as mace has it (in stage "
        "two, of its epochs); false, or without held-out structures: of the last epoch.",
        tunable=False,
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.foundation_model is None:
            if self.max_L > self.max_ell:
                raise ValueError(
                    "max_L is above max_ell: messages cannot have angular momenta that neighbours have not"
                )
            for name in ("freeze", "pt_train_file", "foundation_head"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} needs a foundation_model")
            if self.E0s == "foundation":
                raise ValueError("E0s: foundation needs a foundation_model")
        if self.pt_train_file is not None and self.E0s == "average":
            raise ValueError(
                "with pt_train_file, mace takes no average E0s: give them, or take isolated or foundation"
            )
        if not all(width > 0 for width in self.radial_MLP):
            raise ValueError("radial_MLP holds positive widths")
        return self
