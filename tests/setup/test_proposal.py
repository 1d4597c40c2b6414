"""`xpot init` that looks at data: facts, ranges, the dialogue."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from click.testing import CliRunner

from xpot_core.cli.group import cli
from xpot_core.data.dataset import load_dataset
from xpot_core.errors import InputError
from xpot_core.options.declare import Range
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.setup.proposal import Wishes, look_at, propose_study
from xpot_core.setup.proposal.choices import cutoff_range
from xpot_core.study_file.read import read_study

SILICON = Path(__file__).parents[2] / "examples" / "silicon"


@pytest.fixture
def registry() -> Registry:
    return load_registry()


def labelled(atoms: Atoms, prefix: str = "REF_", **info: Any) -> Atoms:
    atoms.info.update({f"{prefix}energy": -1.0 * len(atoms), **info})
    atoms.arrays[f"{prefix}forces"] = np.zeros((len(atoms), 3))
    return atoms


def test_silicon_is_seen_as_it_is() -> None:
    facts = look_at([SILICON / "silicon_train.xyz"])
    assert (facts.frames, facts.atoms, facts.elements) == (104, 477, ("Si",))
    keys = (facts.energy, facts.forces, facts.virial, facts.stress)
    assert keys == ("REF_energy", "REF_forces", "REF_virial", None)
    assert facts.group_by == "config_type"
    groups = {g.name: g for g in facts.groups}
    assert len(groups) == 8
    assert groups["rattled"].frames == groups["rattled"].virials == 26
    assert groups["surface"].virials == 0
    assert [n for n, g in groups.items() if g.molecules] == ["dimer", "isolated_atom"]
    assert [n for n, g in groups.items() if g.isolated] == ["isolated_atom"]
    assert facts.isolated["Si"] == pytest.approx(-101.826, abs=1e-3)
    assert facts.neighbour == pytest.approx(2.3, abs=0.1)
    assert facts.shortest == pytest.approx(1.6)


@pytest.mark.parametrize("fitter", ["snap", "gap", "numpy-pair"])
def test_the_proposal_for_silicon_can_be_run(fitter: str, registry: Registry, tmp_path: Path) -> None:
    if fitter not in registry.names("fitter"):
        pytest.skip(f"{fitter} is not installed")
    train = SILICON / "silicon_train.xyz"
    wishes = Wishes((train,), test=SILICON / "silicon_test.xyz", fitter=fitter, folder=tmp_path)
    found = propose_study(look_at([train]), wishes, registry)
    assert max(len(line) for line in found.text.splitlines() if line.lstrip().startswith("#")) <= 104
    path = tmp_path / "study.yaml"
    path.write_text(found.text, encoding="utf-8")
    outcome = CliRunner().invoke(cli, ["doctor", str(path), "--no-fit"])
    assert outcome.exit_code == 0, outcome.output
    assert f"{found.searched} hyperparameters" in outcome.output
    written = read_study(path).config
    assert written.search.nested is not None  # all three are staged
    assert written.optimizer == {"gp": {}}  # sizes its design itself
    assert found.trials >= 30
    published = propose_study(look_at([train]), replace(wishes, optimizer="skopt-gp"), registry)
    initial = int(published.text.partition("skopt-gp: {initial: ")[2].partition("}")[0])
    assert 30 >= 2 * initial >= 12
    assert written.validate_with == [{"default": {}}]
    assert written.validate_best > 1
    if fitter != "numpy-pair":
        # no weight that the loss cannot judge
        assert written.loss["energy-force"]["virial_share"] > 0


def test_an_iterative_fit_is_proposed_with_rungs_and_one_held_out_part(
    registry: Registry, tmp_path: Path
) -> None:
    train = SILICON / "silicon_train.xyz"
    found = propose_study(
        look_at([train]), Wishes((train,), fitter="numpy-descent", folder=tmp_path), registry
    )
    path = tmp_path / "study.yaml"
    path.write_text(found.text, encoding="utf-8")
    written = read_study(path).config
    assert written.fidelity is not None
    assert (written.fidelity.option_path, written.fidelity.rungs) == ("epochs", [4, 13])
    assert written.data.validation.kfold is None
    assert written.data.validation.fraction == 0.15
    assert written.budget.trials == found.trials == 18 + 6 + 2
    outcome = CliRunner().invoke(cli, ["run", str(path), "--runs", str(tmp_path), "--trials", "3"])
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.slow
def test_the_proposal_passes_the_whole_doctor(registry: Registry, tmp_path: Path) -> None:
    if "snap" not in registry.names("fitter"):
        pytest.skip("snap is not installed")
    output = tmp_path / "study.yaml"
    data = ["--from-data", str(SILICON / "silicon_train.xyz"), "--test", str(SILICON / "silicon_test.xyz")]
    made = CliRunner().invoke(cli, ["init", *data, "-o", str(output)])
    assert made.exit_code == 0, made.output
    outcome = CliRunner().invoke(cli, ["doctor", str(output)])
    assert outcome.exit_code == 0, outcome.output
    # The example has few structures for a quadratic model, and the doctor says so; nothing else may be wrong.
    warnings = [line for line in outcome.output.splitlines() if line.startswith("warning")]
    assert [w for w in warnings if "too large for its data" not in w] == []


def test_plain_names_stresses_and_groups_under_another_key(tmp_path: Path, registry: Registry) -> None:
    frames = []
    for i in range(12):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=i)
        atoms.calc = SinglePointCalculator(
            atoms, energy=-14.0, forces=np.zeros((4, 3)), stress=0.01 * np.ones(6)
        )
        atoms.info["group"] = "ab"[i % 2]
        atoms.info["pred_energy"] = 3.0
        atoms.info["name"] = f"cell-{i}"
        frames.append(atoms)
    write(tmp_path / "cu.xyz", frames)
    facts = look_at([tmp_path / "cu.xyz"])
    assert (facts.energy, facts.forces, facts.virial, facts.stress) == ("energy", "forces", None, "stress")
    assert facts.group_by == "group"
    text = propose_study(
        facts, Wishes((tmp_path / "cu.xyz",), fitter="numpy-pair", folder=tmp_path), registry
    ).text
    (tmp_path / "study.yaml").write_text(text)
    study = read_study(tmp_path / "study.yaml")
    assert study.config.study == "cu-numpy-pair"
    data = load_dataset(study).data
    assert data.groups == ("a", "b")
    assert data.frames[0].virial is not None
    assert data.frames[0].energy == -14.0


def test_references_win_over_predictions_and_rarities(tmp_path: Path) -> None:
    frames = [labelled(bulk("Cu"), "dft_") for _ in range(5)]
    for atoms in frames:
        labelled(atoms, "MACE_")
    frames[0].info["REF_energy"] = 1.0
    write(tmp_path / "cu.xyz", frames)
    facts = look_at([tmp_path / "cu.xyz"])
    assert (facts.energy, facts.forces) == ("dft_energy", "dft_forces")
    assert facts.group_by is None
    assert [g.name for g in facts.groups] == ["all"]


def test_isolated_atoms_among_others_are_seen(tmp_path: Path, registry: Registry) -> None:
    frames = [labelled(bulk("Cu", "fcc", a=3.5 + 0.02 * i, cubic=True)) for i in range(6)]
    frames.append(labelled(Atoms("Cu", cell=[12] * 3, pbc=True)))
    write(tmp_path / "cu.xyz", frames)
    facts = look_at([tmp_path / "cu.xyz"])
    assert facts.isolated == {"Cu": -1.0}
    text = propose_study(facts, Wishes((Path("cu.xyz"),), fitter="numpy-pair"), registry).text
    assert not {"isolated_atoms", "reference_energies"} & set(yaml.safe_load(text)["data"])
    (tmp_path / "study.yaml").write_text(text)
    assert load_dataset(read_study(tmp_path / "study.yaml")).data.reference_energies == {"Cu": -1.0}


def test_cutoffs_begin_beyond_the_first_shell(tmp_path: Path) -> None:
    for name, atoms, low, high in (
        ("cu", bulk("Cu", cubic=True), 3.3, 6.6),
        ("si", bulk("Si", cubic=True), 3.0, 6.2),
        # Bonds inside a molecule say nothing of how far molecules feel each other.
        ("water", molecule("H2O", cell=[3.1] * 3, pbc=True), 2.5, 6.0),
    ):
        write(tmp_path / f"{name}.xyz", [labelled(atoms)])
        found = cutoff_range(look_at([tmp_path / f"{name}.xyz"]), Range(2.5, 8.0))
        assert found == pytest.approx((low, high), abs=0.11), name
    write(tmp_path / "atom.xyz", [labelled(Atoms("Cu", cell=[12] * 3))])
    assert cutoff_range(look_at([tmp_path / "atom.xyz"]), Range(2.5, 8.0)) == (2.5, 8.0)


def test_many_groups_share_weights(tmp_path: Path, registry: Registry) -> None:
    frames = [labelled(bulk("Cu", cubic=True), config_type=f"group{i % 40}") for i in range(120)]
    write(tmp_path / "cu.xyz", frames)
    facts = look_at([tmp_path / "cu.xyz"])
    assert len(facts.groups) == 40
    assert propose_study(facts, Wishes((Path("cu.xyz"),), fitter="numpy-pair"), registry).searched < 10


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        look_at([tmp_path / "none.xyz"])
    write(tmp_path / "bare.xyz", bulk("Cu"))
    with pytest.raises(InputError, match="no frame has an energy"):
        look_at([tmp_path / "bare.xyz"])
    forces = bulk("Cu")
    forces.arrays["REF_forces"] = np.zeros((1, 3))
    write(tmp_path / "forces.xyz", forces)
    with pytest.raises(InputError, match="no frame has an energy"):
        look_at([tmp_path / "forces.xyz"])
    spoilt = [labelled(bulk("Cu", cubic=True)) for _ in range(3)]
    spoilt[1].info["REF_energy"] = np.nan
    write(tmp_path / "nan.xyz", spoilt)
    with pytest.raises(InputError, match=r"REF_energy of nan\.xyz#1 holds NaN"):
        look_at([tmp_path / "nan.xyz"])
    (tmp_path / "odd.xyz").write_text("what is this")
    with pytest.raises(InputError, match="cannot read"):
        look_at([tmp_path / "odd.xyz"])


def test_data_without_forces_get_a_loss_of_energies(tmp_path: Path, registry: Registry) -> None:
    frames = [labelled(bulk("Cu", cubic=True)) for _ in range(6)]
    for atoms in frames:
        del atoms.arrays["REF_forces"]
    write(tmp_path / "cu.xyz", frames)
    wishes = Wishes((tmp_path / "cu.xyz",), fitter="numpy-pair", folder=tmp_path)
    study = yaml.safe_load(propose_study(look_at([tmp_path / "cu.xyz"]), wishes, registry).text)
    assert study["data"]["keys"]["forces"] is None
    assert study["loss"]["energy-force"]["alpha"] == 1.0


def test_template_names_files_from_its_own_folder(folder: Path, call: Any) -> None:
    Path("below").mkdir()
    made = ["init", "--fitter", "numpy-pair", "-o"]
    assert call(*made, "below/a.yaml", "--train", "train.xyz", "--test", "test.xyz").status == 0
    data = yaml.safe_load(Path("below/a.yaml").read_text())["data"]
    assert (data["train"], data["test"]) == ("../train.xyz", "../test.xyz")
    assert call("doctor", "below/a.yaml", "--no-fit").status in (0, 1)
    assert call(*made, "below/b.yaml").status == 0
    assert yaml.safe_load(Path("below/b.yaml").read_text())["data"]["train"] == "train.xyz"
    absolute = folder / "train.xyz"
    assert call(*made, "below/c.yaml", "--train", absolute).status == 0
    assert yaml.safe_load(Path("below/c.yaml").read_text())["data"]["train"] == str(absolute)


def test_from_data_without_questions(folder: Path, call: Any) -> None:
    printed = call("init", "--from-data", "train.xyz", "--fitter", "numpy-pair", "--test", "test.xyz")
    assert printed.status == 0
    study = yaml.safe_load(printed.out)
    assert study["data"]["test"] == "test.xyz"
    assert study["study"] == "my-numpy-pair"
    Path("below").mkdir()
    made = call(
        "init", "--from-data", "train.xyz", "--validation", "test.xyz", "--fitter", "numpy-pair",
        "--optimizer", "random", "--study", "argon", "-o", "below/a.yaml",
    )  # fmt: skip
    assert made.status == 0
    study = yaml.safe_load(Path("below/a.yaml").read_text())
    assert study["data"]["train"] == "../train.xyz"
    assert study["data"]["validation"] == "../test.xyz"
    assert (study["study"], study["optimizer"]) == ("argon", "random")
    assert call("doctor", "below/a.yaml", "--no-fit").status in (0, 1)
    assert call("init", "--from-data", "train.xyz", "--from", "fitsnap", "x").status == 2
    assert call("init", "--validation", "test.xyz").status == 2
    missing = call("init", "--from-data", "none.xyz")
    assert missing.status == 2
    assert "--from-data = 'none.xyz': data file does not exist" in missing.err
    missing = call("init", "--from-fitsnap", "none.in")
    assert missing.status == 2
    assert "remedy" in missing.err
    named = call("init", "--fitter", "numpy-pair", "--study", "a b", "-o", "ab.yaml")
    assert named.status == 2
    assert "--study = 'a b'" in named.err
    assert not Path("ab.yaml").exists()


def test_the_dialogue_proposes_and_writes(folder: Path) -> None:
    """Wrong answers are asked again; Enter takes what is proposed."""
    (folder / "taken.yaml").write_text("mine")
    answers = [
        "nothing.xyz",
        "",
        "nowhere.xyz",
        "",
        "-",
        "numpy-pair",
        "nonsense",
        "random",
        "7",
        "1",
        "taken.yaml",
        "new.yaml",
    ]
    outcome = CliRunner().invoke(cli, ["init", "-i"], input="\n".join(answers) + "\n")
    assert outcome.exit_code == 0, outcome.output
    for text in ("does not exist", "there is no file nowhere.xyz", "exists already", "xpot doctor new.yaml"):
        assert text in outcome.output
    assert (folder / "taken.yaml").read_text() == "mine"
    study = read_study(folder / "new.yaml").config
    assert study.data.train == ["train.xyz"]
    assert study.data.test == ["test.xyz"]  # proposed beside train.xyz
    assert study.budget.trials == 7
    assert study.name_of("optimizer") == "random"
    assert study.name_of("executor") == "serial"


def test_ctrl_c_leaves_no_file(folder: Path) -> None:
    before = sorted(folder.iterdir())
    outcome = CliRunner().invoke(cli, ["init", "-i"], input="train.xyz\n")  # input ends: as Ctrl-D
    assert outcome.exit_code != 0
    assert sorted(folder.iterdir()) == before


def test_a_terminal_is_asked_and_a_pipe_is_not(folder: Path) -> None:
    code = "from xpot_core.cli import main; main(['init'])"
    piped = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert "Training file" not in piped.stdout
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
        ) as process:
            os.close(theirs)
            os.write(ours, b"\n\n\nnumpy-pair\nrandom\n\n\nasked.yaml\n")
            shown = b""
            while True:
                try:
                    part = os.read(ours, 4096)
                except OSError:  # the other end is closed
                    break
                if not part:
                    break
                shown += part
            status = process.wait(timeout=60)
    finally:
        os.close(ours)
    assert status == 0, shown.decode()
    assert b"Training file" in shown
    assert read_study(folder / "asked.yaml").config.name_of("fitter") == "numpy-pair"


def test_what_the_loss_cannot_judge_is_not_searched(registry: Registry, tmp_path: Path) -> None:
    """No weight of virials without virials, none of groups that the loss leaves out, and one penalty is enough."""
    if "snap" not in registry.names("fitter"):
        pytest.skip("snap is not installed")
    frames = [labelled(bulk("Cu", cubic=True), config_type="ab"[i % 2]) for i in range(20)]
    frames += [
        labelled(Atoms("Cu2", [[0, 0, 0], [2 + 0.1 * i, 0, 0]], cell=[14] * 3, pbc=True), config_type="pair")
        for i in range(8)
    ]
    write(tmp_path / "cu.xyz", frames)
    facts = look_at([tmp_path / "cu.xyz"])
    text = propose_study(facts, Wishes((tmp_path / "cu.xyz",), fitter="snap", folder=tmp_path), registry).text
    study = yaml.safe_load(text)
    options = study["fitter"]["snap"]
    assert "vweight" not in options
    assert "virial" not in study["loss"]["energy-force"]
    assert options["eweight"] == {"a": "tune", "b": "tune", "pair": 100.0}
    assert study["loss"]["energy-force"]["group_weights"] == {"pair": 0}
    assert "absolute_ridge" not in options


def test_compounds_get_options_of_their_elements(registry: Registry, tmp_path: Path) -> None:
    if "snap" not in registry.names("fitter"):
        pytest.skip("snap is not installed")
    frames = [labelled(bulk("InP", "zincblende", a=5.8 + 0.01 * i, cubic=True)) for i in range(12)]
    write(tmp_path / "inp.xyz", frames)
    facts = look_at([tmp_path / "inp.xyz"])
    text = propose_study(
        facts, Wishes((tmp_path / "inp.xyz",), fitter="snap", folder=tmp_path), registry
    ).text
    options = yaml.safe_load(text)["fitter"]["snap"]
    assert options["wj"] == {"In": 1.0, "P": "tune"}
    assert options["radelem"] == {"In": 0.5, "P": "tune"}
    # the repulsion of each pair ends before the data begin
    inner, outer = options["zbl_inner"], options["zbl_outer"]
    assert list(inner) == list(outer) == list(facts.pairs) == ["In-In", "In-P", "P-P"]
    bond = facts.pairs["In-P"].shortest
    assert bond == facts.shortest == pytest.approx(5.8 * 3**0.5 / 4)
    assert inner["In-P"] < outer["In-P"] < bond
    # and is all there soon below: what is switched off early leaves a hole
    assert inner["In-P"] > 0.8 * outer["In-P"]
    # neighbours were not looked for as far as the second shell
    assert not facts.pairs["In-In"].seen
    assert facts.pairs["In-In"].shortest == facts.pairs["P-P"].neighbour == 3.2
    assert bond < outer["In-In"] == outer["P-P"] < 3.2
    assert "shortest distances: In-P 2.51 Å\n" in text
