"""Proposals and the doctor go by the roles of options, whatever a plugin calls them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpot_core.errors import NotInstalledError
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.plugins.registry.catalogue import PUBLISHED
from xpot_core.plugins.registry.load import _load
from xpot_core.report.statistics.series import initial_trials
from xpot_core.results.read import StudyResults
from xpot_core.setup.proposal import Wishes, default_optimizer, look_at, propose_study

ROOT = Path(__file__).parents[2]
SILICON = ROOT / "examples" / "silicon" / "silicon_train.xyz"
STRANGE = '''
"""A fitter, a loss and an optimizer whose options nobody could guess."""

from xpot_core.api import (
    FitterProvider, LossProvider, OptimizerProvider, OptionsModel, PerElement, PerGroup, Range, hookimpl, option
)
from xpot_core.builtin.loss import EnergyForceLoss
from xpot_core.builtin.loss_options import EnergyForceOptions

REACH = Range(2.0, 8.0)


class Term(OptionsModel):
    """One term."""

    ende: float = option(4.0, "End of the term.", tune=REACH, role="cutoff")
    menge: int = option(8, "Functions.", tune=Range(4, 20), role="size")


class Either(OptionsModel):
    """One of two."""

    paar: Term | None = option(None, "Pairs.")
    drei: Term | None = option(None, "Triplets.")


class Strange(OptionsModel):
    """Options."""

    terme: list[Either] = option(lambda: [Either(paar=Term()), Either(drei=Term())], "Terms.")
    innen: Term = option(Term, "A block.")
    schalen: list[float] = option(lambda: [3.0, 5.0], "Ends of shells.", tune=REACH, role="cutoff")
    weite: PerElement[float] = option(4.0, "End of an element.", tune=REACH, role="cutoff", per="element")
    laune: PerElement[float] = option(1.0, "Nothing known.", tune=Range(0.5, 2.0), per="element")
    zug: PerGroup[float] = option(1.0, "Pull.", tune=Range(0.1, 9.0, log=True), role="weight:force", per="group")
    druck: PerGroup[float] = option(1.0, "Push.", tune=Range(0.1, 9.0, log=True), role="sigma:virial", per="group")
    force_virial: PerGroup[float] = option(1.0, "Neither force nor virial.", tune=Range(0.1, 9.0), per="group")


class Optimizer(OptionsModel):
    """Options."""

    anlauf: int = option(5, "Trials before it learns.", role="initial-design", tunable=False)


class Scale(OptionsModel):
    """Options."""

    waage: float = option(0.5, "Energies against forces.", role="balance")


class ScaleLoss(EnergyForceLoss):
    """The usual loss."""

    def __init__(self, options):
        super().__init__(EnergyForceOptions(alpha=options.waage))


@hookimpl
def xpot_register_losses():
    return [LossProvider("strange", "strange", f"{__name__}:ScaleLoss", Scale)]


@hookimpl
def xpot_register_fitters():
    load = "xpot_core.testing.toy.fitter:ToyFitter"
    return [FitterProvider("strange", "strange", load, Strange, produces=("numpy-pair",))]


@hookimpl
def xpot_register_optimizers():
    return [OptimizerProvider("strange", "strange", "xpot_core.builtin.optimizers:RandomOptimizer", Optimizer)]
'''


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """The plugin file."""
    path = tmp_path / "strange.py"
    path.write_text(STRANGE, encoding="utf-8")
    return path


def proposed(fitter: str, registry: Registry, **wishes: Any) -> dict[str, Any]:
    """The proposal for the shipped silicon."""
    text = propose_study(look_at([SILICON]), Wishes((SILICON,), fitter=fitter, **wishes), registry).text
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_a_proposal_goes_by_roles(strange: Path) -> None:
    registry = load_registry([strange])
    study = proposed("strange", registry, optimizer="strange")
    options = study["fitter"]["strange"]
    reach = {"min": 3.0, "max": 6.0}
    assert options["terme"] == [{"paar": {"ende": reach}}, {"drei": {"ende": reach}}]
    assert options["innen"] == {"ende": reach}
    assert options["schalen"] == [reach, reach]
    assert options["weite"] == reach
    assert "laune" not in options
    assert set(options["zug"]) == {g.name for g in look_at([SILICON]).groups}
    assert options["druck"] == "tune"
    assert options["force_virial"] != "tune"
    first = study["optimizer"]["strange"]["anlauf"]
    assert (
        6 <= first <= study["budget"]["trials"] // 2
    )  # twice the hyperparameters, at most half of the trials


@pytest.fixture
def warnings(strange: Path, tmp_path: Path, call: Any) -> Callable[..., list[str]]:
    """What the doctor says of cutoffs of a fitter of a plugin file."""

    def run(fitter: str, options: dict[str, Any], plugin: Path | None = None) -> list[str]:
        study = {
            "study": "s",
            "data": {"train": str(SILICON), "validation": {"kfold": 3}},
            "fitter": {fitter: options},
            "optimizer": "sobol",
            "plugins": [str(plugin or strange)],
        }
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(study))
        done = call("doctor", tmp_path / "s.yaml", "--no-fit", "--json")
        assert done.status == 1, done.err
        return [w for w in json.loads(done.out)["warnings"] if "below the shortest distance" in w]

    return run


def test_the_doctor_goes_by_roles(warnings: Callable[..., list[str]]) -> None:
    low, high = {"min": 1.2, "max": 6.0}, {"min": 3.0, "max": 6.0}
    options = {
        "terme": [{"paar": {"ende": high}}, {"drei": {"ende": low}}],
        "innen": {"ende": low},
        "schalen": [high, low],
        "weite": {**low, "per": "element"},
        "laune": {"min": 0.5, "max": 2.0},
        "zug": {"min": 0.1, "max": 1.0},
    }
    found = {line.split("'")[1] for line in warnings("strange", options)}
    assert found == {"terme.1.drei.ende", "innen.ende", "schalen.1", "weite.Si"}


def test_the_cutoff_of_pod_is_proposed_and_checked(
    warnings: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lammps")
    monkeypatch.syspath_prepend(ROOT / "examples" / "plugins" / "xpot-pod")
    plugin = tmp_path / "pod.py"
    plugin.write_text("from xpot_pod.hooks import xpot_register_fitters, xpot_register_predictors\n")
    options = proposed("pod", load_registry([plugin]))["fitter"]["pod"]
    assert options["rcut"] == {"min": 3.5, "max": 6.0}
    (found,) = warnings("pod", {"rcut": {"min": 1.0, "max": 6.0}, "rin": 0.5}, plugin)
    assert "'rcut' may go down to 1 Å" in found


@pytest.fixture
def installed(strange: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin as pip would leave it: commands that only look do not run plugin files."""
    info = strange.parent / "xpot_strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xpot-strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[xpot]\nstrange = strange\n")
    monkeypatch.syspath_prepend(strange.parent)
    _load.cache_clear()
    yield
    _load.cache_clear()
    sys.modules.pop("strange", None)


def test_results_go_by_roles(installed: None, study: Callable[..., Path], call: Any) -> None:
    path = study({"optimizer": {"strange": {"anlauf": 2}}, "loss": {"strange": {"waage": 0.8}}})
    assert call("run", path, "--quiet").status == 0
    results = StudyResults.open(str(path))
    assert initial_trials(results) == 2
    shown = json.loads(call("show", path, "--alpha", "0.3", "--json").out)
    assert shown["loss_at_alpha"] == pytest.approx(results.best_at(0.3)[1])
    assert results.best_at(0.8)[1] == pytest.approx(min(t.loss for t in results.trials))


# -- which plugins a study has that names none -------------------------------------------------------


def test_the_fitter_that_is_installed_is_taken(strange: Path) -> None:
    """Ours come first in the order of the catalogue, others by their names, the toy of the tests never."""
    registry = load_registry([strange])
    preferred = registry.preferred("fitter")
    others = sorted(set(preferred) - set(PUBLISHED["fitter"]))
    assert "strange" in others
    assert "numpy-pair" not in others
    assert preferred == [*(n for n in PUBLISHED["fitter"] if n in preferred), *others]
    while preferred:
        assert registry.default_fitter() == preferred[0]
        del registry._providers["fitter"][preferred.pop(0)]
    with pytest.raises(NotInstalledError, match="no fitter is installed") as caught:
        registry.default_fitter()
    assert "pip install xpot-snap or xpot-fitsnap or xpot-gap or xpot-ace or xpot-mace" in str(caught.value)


def test_an_optimizer_that_learns_is_taken(strange: Path) -> None:
    registry = load_registry([strange])
    found = []
    while (name := default_optimizer(registry)) != "sobol":
        found.append(name)
        del registry._providers["optimizer"][name]
    published = [n for n in PUBLISHED["optimizer"] if n in found]
    assert found == [*published, *sorted(set(found) - set(published))]
    assert "strange" in found
    assert not {"random", "grid", "hyperopt-random"} & set(found)


def test_init_says_which_other_fitters_there_are(call: Any) -> None:
    fitters = load_registry().preferred("fitter")
    done = call("init")
    if not fitters:
        assert done.status == 2
        assert "pip install" in done.err
        return
    assert done.status == 0
    assert list(yaml.safe_load(done.out)["fitter"]) == fitters[:1]
    others = f"# Other fitters here: {', '.join(fitters[1:])} (xpot init --fitter NAME)."
    assert (others in done.out) == (len(fitters) > 1)
    assert "Other fitters here" in call("init", "--fitter", "numpy-pair").out
