"""Configurations of mace_run_train: there and back, and what others write."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from xpot_mace.options import MaceOptions
from xpot_mace.run_train.config import configuration
from xpot_mace.run_train.importer import MaceImporter, recognises

from xpot_core.api import InputError, NoOptions
from xpot_core.testing import contract_class

TestImporter = contract_class("importer", "mace-run-train")

GROUPS = ("bulk", "slab-100", "liquid.2")
_positive = st.floats(1e-6, 1e6, allow_nan=False).filter(lambda x: x > 0)


@st.composite
def any_options(draw: st.DrawFn) -> MaceOptions:
    """Options of every kind; those that say where or what mace has no word for stay."""
    values: dict[str, Any] = {
        "r_max": draw(st.floats(1.0, 12.0)),
        "num_channels": draw(st.integers(1, 256)),
        "max_L": draw(st.integers(0, 2)),
        "max_ell": draw(st.integers(2, 4)),
        "num_interactions": draw(st.integers(1, 3)),
        "radial_MLP": draw(st.lists(st.integers(1, 128), min_size=1, max_size=4)),
        "distance_transform": draw(st.sampled_from(["None", "Agnesi", "Soft"])),
        "gate": draw(st.sampled_from(["silu", "tanh", "abs", "None"])),
        "pair_repulsion": draw(st.booleans()),
        "loss": draw(st.sampled_from(["weighted", "stress", "virials", "huber", "universal"])),
        "energy_weight": draw(_positive),
        "config_type_weights": draw(
            st.one_of(_positive, st.fixed_dictionaries(dict.fromkeys(GROUPS, _positive)))
        ),
        "E0s": draw(st.fixed_dictionaries({"Ge": st.floats(-1e4, 1e4), "Si": st.floats(-1e4, 1e4)})),
        "lr": draw(_positive),
        "weight_decay": draw(st.floats(0.0, 1.0)),
        "clip_grad": draw(st.one_of(st.none(), st.floats(1e-3, 1e3))),
        "ema": draw(st.booleans()),
        "amsgrad": draw(st.just(True)),
        "scheduler": draw(st.sampled_from(["ReduceLROnPlateau", "ExponentialLR"])),
        "start_swa": draw(st.one_of(st.none(), st.integers(1, 500))),
        "max_num_epochs": draw(st.integers(1, 5000)),
        "default_dtype": draw(st.sampled_from(["float32", "float64"])),
        "device": draw(st.sampled_from(["cpu", "cuda"])),
        "seed": draw(st.integers(0, 2**31)),
    }
    if draw(st.booleans()):
        values |= {
            "foundation_model": "models/my model.model",
            "freeze": draw(st.one_of(st.none(), st.integers(1, 6))),
            "pt_train_file": draw(st.sampled_from([None, "replay.xyz"])),
        }
    return MaceOptions(**values)


def written(options: MaceOptions, groups: tuple[str, ...] = GROUPS) -> dict[str, Any]:
    assert isinstance(options.E0s, dict)
    return configuration(
        options,
        elements=("Ge", "Si"),
        groups=groups,
        energies=options.E0s,
        seed=1,
        device=options.device,
    )


def read(source: str) -> tuple[MaceOptions, Any]:
    study = MaceImporter(NoOptions()).load(source)
    return MaceOptions(**study.study["fitter"]["mace"]), study


def expanded(options: MaceOptions) -> dict[str, Any]:
    """All that counts: one weight for all groups is that weight for each."""
    found = options.model_dump()
    if not isinstance(found["config_type_weights"], dict):
        found["config_type_weights"] = dict.fromkeys(GROUPS, found["config_type_weights"])
    return found


@settings(max_examples=60, deadline=None)
@given(any_options())
def test_what_is_written_is_read_back(options: MaceOptions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(written(options)), encoding="utf-8")
        again, study = read(str(path))
    assert expanded(again) == expanded(options)
    assert study.lost == ()
    assert study.study["data"]["validation"] == {"file": "valid.xyz"}


@settings(max_examples=30, deadline=None)
@given(any_options())
def test_a_command_line_says_the_same(options: MaceOptions) -> None:
    words = ["mace_run_train"]
    for name, value in written(options).items():
        words += [f"--{name}"] if value is True else [f"--{name}={value}"]
    again, _ = read(" ".join(map(shlex.quote, words)))
    assert expanded(again) == expanded(options)


def test_the_defaults_of_mace_are_written_out() -> None:
    """A configuration that says nothing of the network means that of mace, which is not ours."""
    options, study = read("train_file: a.xyz\nE0s: average\nname: x\n")
    assert (options.num_channels, options.max_L, options.correlation, options.max_ell) == (128, 1, 3, 3)
    assert options.max_num_epochs == 2048
    assert not options.ema
    assert options.E0s == "average"
    assert study.study["data"]["validation"] == {"fraction": 0.1}


def test_a_script_with_stage_two(tmp_path: Path) -> None:
    script = tmp_path / "train.sh"
    script.write_text(
        "#!/bin/bash\n#SBATCH -n 1\nmodule load python\n"
        "python /opt/mace/mace/cli/run_train.py --name='si' \\\n"
        '  --train_file="a.xyz" --test_file=b.xyz --hidden_irreps "32x0e + 32x1o" --E0s "{14:-158.5}" \\\n'
        "  --stage_two --max_num_epochs 200 --stage_two_lr 1e-4 --ema --ema_decay=0.995 > log.txt\n"
    )
    options, study = read(str(script))
    assert recognises(str(script))
    assert (options.num_channels, options.max_L) == (32, 1)
    assert (options.start_swa, options.swa_lr) == (150, 1e-4)
    assert options.ema
    assert options.ema_decay == 0.995
    assert options.E0s == {"Si": -158.5}
    assert study.study["data"]["test"] == "b.xyz"
    assert any("start_swa" in note for note in study.notes)


def test_what_changes_the_model_without_counterpart_is_lost() -> None:
    _, study = read("train_file: a.xyz\nE0s: average\nlbfgs: true\nlora: true\nplot: false\npatience: 20\n")
    assert study.lost[:2] == ("lbfgs: True", "lora: True")
    assert "stop_early" in study.lost[2]


def test_patience_that_never_ends_a_training_loses_nothing() -> None:
    _, study = read("train_file: a.xyz\nE0s: average\nmax_num_epochs: 20\npatience: 20\n")
    assert study.lost == ()


def test_defaults_of_mace_lose_nothing() -> None:
    parser = pytest.importorskip("mace.tools").build_default_arg_parser()
    assert parser.get_default("lora") is False
    _, study = read("train_file: a.xyz\nE0s: average\nlora: false\nlbfgs: false\n")
    assert study.lost == ()


def test_a_downloaded_foundation_is_lost() -> None:
    _, study = read(
        "train_file: a.xyz\nE0s: average\nfoundation_model: medium\nmultiheads_finetuning: false\n"
    )
    assert len(study.lost) == 1
    assert "downloaded" in study.lost[0]


def test_odd_values_are_named() -> None:
    for text, key in (
        ("hidden_irreps: 16x0e + 8x1o", "hidden_irreps"),
        ("r_max: -1", "r_max"),
        ("config_type_weights: '3'", "config_type_weights"),
        ("E0s: '{999: 1}'", "E0s"),
    ):
        with pytest.raises(InputError) as caught:
            read(
                f"train_file: a.xyz\nE0s: average\n{text}\n"
                if not text.startswith("E0s")
                else f"train_file: a\n{text}\n"
            )
        assert key in str(caught.value)
