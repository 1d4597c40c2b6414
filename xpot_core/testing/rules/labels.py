"""Rules of labels of single frames: a declared one has an effect, a masked force has none, nothing else comes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from xpot_core.data.files.structure_files import read_frames
from xpot_core.study_file.schema import DataConfig
from xpot_core.testing.contracts.contract import NotApplicable, scratch
from xpot_core.testing.frames import training_data, write_frames
from xpot_core.testing.rules.bench import ONE, FitterBench, assert_same, difference
from xpot_core.testing.rules.staged_fits import same_errors
from xpot_core.types.error_sums import error_table
from xpot_core.types.fitting import Design
from xpot_core.types.structures import FRAME_LABELS, Frame, TrainingData

_FOLDS = 3
_WRONG = 50.0  # eV/Å


class LabelRules(FitterBench):
    """Rules of what single frames say about their part in a fit.

    Attributes
    ----------
    label_options
        Label -> options that must be set for it to have an effect.
    """

    label_options: ClassVar[dict[str, dict[str, Any]]] = {}

    def test_frames_come_without_hidden_state(self) -> None:
        """Constraints, momenta, tags and charges in a user's file change neither fit nor predictions."""
        with scratch() as folder:
            found = []
            for name, dress in (("plain", False), ("dressed", True)):
                path = folder / f"{name}.xyz"
                if dress:
                    _write_dressed(path, self.frames())
                else:
                    write_frames(path, self.frames())
                frames = read_frames(path, DataConfig(train=[str(path)]))
                assert not any(f.atoms.constraints or f.atoms.has("momenta") for f in frames)
                data = training_data(frames)
                found.append(self.fit_and_predict(self.options(), data, folder / name).predictions)
        assert_same(found[0], found[1], self.frames(), max(self.noise, 1e-9), "the fits")

    def test_declared_frame_labels_have_an_effect(self) -> None:
        """Each label in `Provider.frame_labels`, given to some of the frames, changes the potential."""
        faults = []
        unknown = sorted(set(self.fitter_provider().frame_labels) - set(FRAME_LABELS))
        assert not unknown, f"frame_labels names {', '.join(unknown)}; known: {', '.join(FRAME_LABELS)}"
        with scratch() as folder:
            for label in self._declared():
                options = self._options_for(label)
                even, uneven = _even(self.frames(), label), _uneven(self.frames(), label)
                first, again = (
                    self.fit_and_predict(options, training_data(even), folder / f"{label}-{n}", self.frames())
                    for n in ("first", "again")
                )
                noise = difference(first.predictions, again.predictions)
                other = self.fit_and_predict(options, training_data(uneven), folder / label, self.frames())
                if difference(first.predictions, other.predictions) <= 10 * noise:
                    faults.append(f"'{label}' changes nothing")
        assert not faults, "; ".join(faults)

    def test_masked_forces_have_no_effect(self) -> None:
        """Whatever stands where the mask leaves a force out, the potential is the same."""
        if "force_mask" not in self._declared():
            raise NotApplicable("the fitter does not declare force_mask")
        masked = _uneven(self.frames(), "force_mask")
        with scratch() as folder:
            found = [
                self.fit_and_predict(
                    self._options_for("force_mask"), training_data(frames), folder / name, self.frames()
                ).predictions
                for name, frames in (("right", masked), ("wrong", [_spoilt(f) for f in masked]))
            ]
        assert_same(
            found[0],
            found[1],
            self.frames(),
            self.noise,
            "fits to other forces where the mask leaves them out",
        )

    def test_staged_fit_weighs_frames_as_the_plain_one(self) -> None:
        """With every declared label at once: a design gives the plain fit, and its errors leave out what is masked."""
        self.staged()
        frames: Sequence[Frame] = self.frames()
        raw: dict[str, Any] = {}
        for label in self._declared():
            frames = _uneven(frames, label)
            raw |= self.label_options.get(label, {})
        options, data = self.options(ONE, **raw), training_data(frames, _FOLDS)
        with scratch() as folder:
            design = self.prepare(options, data, folder / "design")
            staged = design.fit(options, directory=_made(folder / "staged"))
            plain = self.fit(options, data, folder / "plain")
            one, two = (self.predict(p, frames, folder / "work") for p in (staged, plain))
            tolerance = getattr(self, "staged_tolerance", self.noise)
            assert_same(one, two, frames, tolerance, "staged and plain fit")
            self._check_errors(design, options, data, folder)

    def _check_errors(self, design: Design, options: BaseModel, data: TrainingData, folder: Path) -> None:
        for fold in (None, 1):
            errors = design.errors(options, leave_out=fold)
            potential = design.fit(options, directory=_made(folder / f"fit-{fold}"), leave_out=fold)
            for name, part in (("train", data.training(fold)), ("validation", data.evaluation(fold))):
                predictions = self.predict(potential, part.frames, folder / f"fit-{fold}")
                same_errors(
                    getattr(errors, name), error_table(predictions, part.frames), f"{name}, fold {fold}"
                )

    def _declared(self) -> list[str]:
        declared = [label for label in FRAME_LABELS if label in self.fitter_provider().frame_labels]
        if not declared:
            raise NotApplicable("the fitter declares no frame_labels: studies with such labels are refused")
        return declared

    def _options_for(self, label: str) -> BaseModel:
        return self.options(ONE, **self.label_options.get(label, {}))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _write_dressed(path: Path, frames: Sequence[Frame]) -> None:
    """The file of `write_frames` with what calculations leave in structures."""
    from ase.constraints import FixAtoms
    from ase.io import read, write

    write_frames(path, frames)
    images = read(path, ":")
    for number, atoms in enumerate(images):
        n = len(atoms)
        if number != 1:
            atoms.set_constraint(FixAtoms(range(n // 2)))
        atoms.set_momenta(np.full((n, 3), 1.0 + number), apply_constraint=False)
        atoms.set_tags(range(n))
        atoms.set_initial_charges(np.linspace(-1.0, 1.0, n))
        atoms.arrays["site"] = np.arange(n)
    write(path, images, format="extxyz")


def _even(frames: Sequence[Frame], label: str) -> list[Frame]:
    """The same label on every frame: what changes is compared with this."""
    return [_labelled(f, label, 1.0) for f in frames]


def _uneven(frames: Sequence[Frame], label: str) -> list[Frame]:
    """Every second frame is trusted less."""
    return [_labelled(f, label, 0.5 if i % 2 else 1.0) for i, f in enumerate(frames)]


def _labelled(frame: Frame, label: str, trust: float) -> Frame:
    n, sigma = frame.n_atoms, 0.1 / trust
    # By atom and by component, the most detailed form that a file may have.
    by_component = sigma * (1.0 + np.arange(3 * n).reshape(n, 3) / (3 * n))
    values: dict[str, Any] = {
        "energy_sigma": sigma,
        "force_sigma": np.full((n, 3), sigma) if trust == 1.0 else by_component,
        "virial_sigma": np.full((3, 3), sigma),
        "force_mask": None if trust == 1.0 else np.arange(n) % 2 == 0,
        "weight": trust,
    }
    return replace(frame, **{label: values[label]})


def _spoilt(frame: Frame) -> Frame:
    """Nonsense where the mask leaves a force out."""
    if frame.force_mask is None or frame.forces is None:
        return frame
    return replace(frame, forces=np.where(frame.force_mask[:, None], frame.forces, _WRONG))
