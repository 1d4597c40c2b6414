"""Rules of one fit: reproducible, tidy, and every option reaches the backend."""

from __future__ import annotations

import contextlib
import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel

from xpot_core.options.check import validate_options
from xpot_core.options.declare import pair_names
from xpot_core.space.read import build_space
from xpot_core.testing.contracts.cause import ProcessError
from xpot_core.testing.contracts.contract import NotApplicable, environment, scratch
from xpot_core.testing.frames import frame, frames_to_json, labelled, structure, training_data
from xpot_core.testing.rules.bench import ONE, FitterBench, assert_same, assert_sound, difference
from xpot_core.testing.rules.perturb import Leaf, accepts, as_search, leaves, other_value, put
from xpot_core.testing.rules.process import fit_in_process
from xpot_core.types.error_sums import error_table
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame


class FitRules(FitterBench):
    """Rules of plain fits.

    Attributes
    ----------
    other_values
        Option -> another value, where the kit finds none that matters.
    along_with
        Option -> options that must be set for it to have an effect, for the fits that test it.
    without_effect
        Option -> why it may be tuned and yet change nothing.
    """

    other_values: ClassVar[dict[str, Any]] = {}
    along_with: ClassVar[dict[str, dict[str, Any]]] = {}
    without_effect: ClassVar[dict[str, str]] = {}

    def test_every_option_reaches_the_backend(self) -> None:
        """Each tunable option, searched as a study would search it, changes the potential.

        Elements of lists are changed one by one, and each member of ``per: group`` and
        ``per: element`` too.
        """
        unknown = {*self.other_values, *self.along_with, *self.without_effect} - set(self._tunable_paths())
        assert not unknown, f"the contract names options that do not exist here: {sorted(unknown)}"
        faults = []
        with scratch() as folder:
            for leaf in leaves(self.options(self.most)):
                if leaf.name not in self.without_effect:
                    faults += self._faults_of(leaf, folder / leaf.name)
                    shutil.rmtree(folder / leaf.name, ignore_errors=True)
        assert not faults, "; ".join(faults)

    def _tunable_paths(self) -> list[str]:
        return [leaf.name for leaf in leaves(self.options(self.most))]

    def _faults_of(self, leaf: Leaf, folder: Path) -> list[str]:
        """Fit with two values of one option, alone and for each group or element."""
        options = self.options(self.most).model_dump(mode="json")
        for path, value in self.along_with.get(leaf.name, {}).items():
            put(options, _keys(path), value)

        def validated(value: Any) -> BaseModel:
            changed = deepcopy(options)
            put(changed, leaf.path, value)
            return validate_options(self.declaration.options, changed)

        base = leaf.value
        if leaf.name in self.other_values:
            other = self.other_values[leaf.name]
        else:
            try:
                other = other_value(leaf, accepts(validated))
            except LookupError as error:
                return [str(error)]
        if base is None:
            base = other_value(replace(leaf, value=other), accepts(validated))
        spec = as_search(base, other)
        data = self.data(self.most)
        faults = self._compare(leaf, options, spec, {leaf.name: base}, [{leaf.name: other}], folder / "one")
        for expansion in leaf.info.per:
            every = {"group": data.groups, "element": data.elements, "pair": pair_names(data.elements)}
            members = every[expansion]
            names = [f"{leaf.name}.{m}" for m in members]
            start = dict.fromkeys(names, base)
            changes = [{**start, name: other} for name in names]
            per = dict.fromkeys(members, spec)
            faults += self._compare(leaf, options, per, start, changes, folder / expansion)
        return faults

    def _compare(
        self,
        leaf: Leaf,
        options: dict[str, Any],
        entry: Any,
        start: dict[str, Any],
        changes: list[dict[str, Any]],
        folder: Path,
    ) -> list[str]:
        raw, model, data = deepcopy(options), self.declaration.options, self.data(self.most)
        put(raw, leaf.path, entry)
        space = build_space(model, raw, groups=data.groups, elements=data.elements)
        if set(space.names) != set(start):
            return [f"'{leaf.name}' is searched as {', '.join(space.names)}"]

        def fitted(values: dict[str, Any], name: str) -> Predictions:
            chosen = validate_options(model, space.options(values))
            return self.fit_and_predict(chosen, data, folder / name).predictions

        first = fitted(start, "base")
        noise = difference(first, fitted(start, "again"))
        faults = []
        for number, values in enumerate(changes):
            if difference(first, fitted(values, str(number))) <= 10 * noise:
                changed = {k: (start[k], v) for k, v in values.items() if start[k] != v}
                faults += [f"'{k}' from {a!r} to {b!r} changes nothing" for k, (a, b) in changed.items()]
        return faults

    def test_the_same_fit_gives_the_same_potential(self) -> None:
        """Same options, data and seed: same predictions."""
        with scratch() as folder:
            again = self.fit_and_predict(self.options(), self.data(), folder / "again").predictions
        assert_same(self.base().predictions, again, self.frames(), self.noise, "two identical fits")

    def test_the_fit_learns(self) -> None:
        """Errors on the training frames are below those of predicting the mean, and zero forces."""
        for elements in {ONE, self.most}:
            base, data = self.base(elements), self.data(elements)
            assert_sound(base.predictions, data.frames)
            table = error_table(base.predictions, data.frames)
            forces = np.concatenate([f.forces.ravel() for f in data.frames if f.forces is not None])
            energies = [f.energy / f.n_atoms for f in data.frames if f.energy is not None]
            assert table.total("force").rmse < 0.9 * np.sqrt((forces**2).mean()), elements
            assert table.total("energy").rmse < np.std(energies), elements

    def test_potential_describes_itself(self) -> None:
        """Elements in the study's order, files with checksums, a JSON form, a declared format."""
        for elements in {ONE, self.most}:
            potential = self.base(elements).potential
            assert potential.elements == elements, potential.elements
            assert potential.format in self.fitter_provider().produces, potential.format
            assert potential.files
            assert set(potential.sha256) == set(potential.files.values()), "a file has no checksum"
            for role in potential.files:
                assert potential.path(role).is_file(), f"{potential.path(role)} does not exist"
            again = FittedPotential.from_json(json.loads(json.dumps(potential.to_json())))
            assert again == potential

    def test_potential_can_be_moved(self) -> None:
        """Its files know nothing of the folder that they were made in."""
        base, data = self.base(), self.data()
        with scratch() as folder:
            target = folder / "elsewhere"
            target.mkdir()
            for name in base.potential.files.values():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(base.potential.directory / name, target / name)
            moved = replace(base.potential, directory=target)
            found = self.predict(moved, data.frames, folder / "work")
        assert_same(found, base.predictions, data.frames, self.noise, "predictions here and there")

    def test_writes_only_in_its_folder(self) -> None:
        """Nothing appears in the working directory, the home folder or beside the trial's folder."""
        with scratch() as folder:
            here, home, trials = folder / "here", folder / "home", folder / "trials"
            for one in (here, home, trials):
                one.mkdir()
            with contextlib.chdir(here), environment(HOME=str(home), XDG_CACHE_HOME=str(home)):
                self.fit_and_predict(self.options(), self.data(), trials / "one")
                assert Path.cwd() == here, "the fit changed the working directory"
            stray = [
                str(p.relative_to(folder)) for one in (here, home) for p in one.rglob("*") if p.is_file()
            ]
            stray += [str(p.relative_to(folder)) for p in trials.iterdir() if p.name != "one"]
        assert not stray, f"wrote {', '.join(stray)}"

    def test_frames_are_left_as_they_are(self) -> None:
        """Neither fit nor prediction changes the frames, which later trials use again."""
        data = self.data()
        before = frames_to_json(data.frames)
        with scratch() as folder:
            self.fit_and_predict(self.options(), data, folder / "fit")
        assert frames_to_json(data.frames) == before
        assert all(f.atoms.calc is None for f in data.frames), "a calculator is left in a frame"

    def test_missing_reference_values_are_survived(self) -> None:
        """Real data lack energies here, forces there, and virials of all structures without volume."""
        chosen = list(self.frames())
        chosen[0] = replace(chosen[0], energy=None)
        chosen[1] = replace(chosen[1], forces=None)
        chosen[2] = replace(chosen[2], virial=None)
        cluster = structure(50)
        cluster.pbc = False
        chosen.append(labelled(cluster, "bulk", "kit#cluster"))
        data = replace(self.data(), frames=tuple(chosen), folds=(-1,) * len(chosen))
        with scratch() as folder:
            assert_sound(self.fit_and_predict(self.options(), data, folder / "fit").predictions, chosen)

    def test_paths_may_hold_spaces_and_letters_of_any_language(self) -> None:
        """The run folder stands where the user wants it."""
        with scratch() as folder:
            odd = folder / "my runs (1)" / "Größe Å 模型 'x'"
            found = self.fit_and_predict(self.options(), self.data(), odd).predictions
        assert_same(
            found, self.base().predictions, self.frames(), self.noise, "fits in this folder and in another"
        )

    def test_parallel_fits_do_not_disturb_each_other(self) -> None:
        """Two processes fit different data at the same time, as the executor ``local`` has them do."""
        from concurrent.futures import ThreadPoolExecutor

        jobs = [self.frames(), self.frames()[::2]]
        with scratch() as folder:

            def run(number: int) -> Predictions:
                place = folder / "together" / str(number)
                return fit_in_process(self, self.raw_options(), jobs[number], place)

            with ThreadPoolExecutor(2) as pool:
                together = list(pool.map(run, range(2)))
            half = self.fit_and_predict(self.options(), training_data(jobs[1]), folder / "alone" / "1")
        for a, b, chosen in zip(together, (self.base(), half), jobs, strict=True):
            what = "fits at the same time in two processes and one after the other in this one"
            assert_same(a, b.predictions, chosen, self.noise, what)

    def test_missing_requirements_give_a_clean_error(self) -> None:
        """Without the packages and programs that it declares, the fit says what is missing."""
        provider = self.declaration
        if not provider.packages and not provider.programs:
            raise NotApplicable("nothing is required")
        error = ""
        with scratch() as folder:
            try:
                fit_in_process(
                    self,
                    self.raw_options(),
                    self.frames(),
                    folder / "fit",
                    without=provider.packages,
                    path="",
                )
            except ProcessError as failed:
                error = failed.cause.message
        assert error, "the fit works without what it declares to need"
        name, _, message = error.partition(": ")
        assert name in _CLEAN, error
        needed = (*provider.packages, *provider.programs)
        assert any(n.lower() in message.lower() for n in needed), f"does not name what is missing: {message}"

    def test_several_elements(self) -> None:
        """Two species are told apart, and frames that hold only one of them keep their type."""
        if self.elements < 2:
            raise NotApplicable("made for one element")
        base = self.base(self.most)
        pure = [structure(60, ("Si",)), structure(60, ("Ge",))]
        same = [pure[0], pure[0].copy()]
        same[1].set_chemical_symbols(["Ge"] * len(same[1]))
        chosen: list[Frame] = [frame(a, source=f"kit#{i}") for i, a in enumerate(same)]
        with scratch() as folder:
            found = self.predict(base.potential, chosen, folder)
        assert_sound(found, chosen)
        assert abs(found.energies[0] - found.energies[1]) > 0.1, "both elements have the same energy"


_CLEAN = ("XpotError", "FitError", "PredictError", "InfeasibleError", "InputError", "NotInstalledError")


def _keys(path: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))
