"""The contract of validators: a bad potential is a verdict, and nothing else happens.

Examples
--------
::

    from xpot_core.testing import ValidatorContract

    class TestMine(ValidatorContract):
        provider = "mine"
        options = {"steps": 20}  # a test of a second or two
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from xpot_core.errors import InputError
from xpot_core.options.check import validate_options
from xpot_core.plugins.interfaces import CheckedValidator, Validator, ValidatorProvider
from xpot_core.plugins.registry import Registry
from xpot_core.testing.contracts.contract import Contract, NotApplicable, environment, scratch
from xpot_core.testing.frames import frames, frames_to_json, strained_frames, training_data
from xpot_core.types.fitting import FitRequest, FittedPotential
from xpot_core.types.structures import Frame
from xpot_core.types.validating import ValidationReport, ValidationRequest


class ValidatorContract(Contract):
    """Rules of validators.

    The potential is that of the toy fitter ``numpy-pair``, evaluated through its ASE calculator;
    override `potential` for a validator that reads other formats.

    Attributes
    ----------
    options
        Options of a test that takes a second or two.
    strained
        True for a test that needs strained cells among the training frames.
    good_passes
        False where the toy potential is not good enough for the test.
    ruined_fails
        True where `ruin` must make the test fail; else any verdict will do.
    varies
        Values and tables that differ from run to run, e.g. timings.
    noise
        Largest relative difference of the other values between two runs.
    """

    kind: ClassVar[Any] = "validator"
    options: ClassVar[dict[str, Any]] = {}
    strained: ClassVar[bool] = False
    good_passes: ClassVar[bool] = True
    ruined_fails: ClassVar[bool] = False
    varies: ClassVar[tuple[str, ...]] = ()
    noise: ClassVar[float] = 1e-6

    # -- what is tested ------------------------------------------------------------------------

    def frames(self) -> tuple[Frame, ...]:
        """Training frames."""
        return (*frames(), *strained_frames()) if self.strained else frames()

    def potential(self, folder: Path) -> FittedPotential:
        """A good potential in a folder that exists."""
        from xpot_core.testing.toy.fitter import ToyFitter
        from xpot_core.testing.toy.options import ToyOptions

        request = FitRequest(options=ToyOptions(), data=training_data(self.frames()), directory=folder)
        return ToyFitter().fit(request)

    def ruin(self, potential: FittedPotential) -> FittedPotential:
        """Change the potential's files so that it is of no use: noise on its coefficients."""
        path = potential.path("coefficients")
        content = json.loads(path.read_text())
        noise = np.random.default_rng(1).normal(size=len(content["coefficients"]))
        content["coefficients"] = [30.0 * float(x) for x in noise]
        path.write_text(json.dumps(content))
        return potential

    def calculator(self, registry: Registry, potential: FittedPotential) -> str | None:
        """The tool ``calculator`` of the format's predictor."""
        try:
            return registry.predictor_for(potential.format).calculator
        except InputError:
            return None

    # -- verbs ---------------------------------------------------------------------------------

    def validator(self) -> Validator:
        """A fresh validator."""
        made: Validator = self.registry.create("validator", self.provider, dict(self.options)).instance
        return made

    def request(self, potential: FittedPotential, folder: Path, **changes: Any) -> ValidationRequest:
        """A request for a folder that exists."""
        folder.mkdir(parents=True, exist_ok=True)
        plain = ValidationRequest(
            directory=folder,
            frames=self.frames(),
            elements=potential.elements,
            seed=3,
            calculator=self.calculator(self.registry, potential),
        )
        return dataclasses.replace(plain, **changes)

    def report(self, folder: Path, *, ruined: bool = False, **changes: Any) -> ValidationReport:
        """The report on the good or the ruined potential."""
        home = folder / "potential"
        home.mkdir(parents=True, exist_ok=True)
        potential = self.potential(home)
        if ruined:
            potential = self.ruin(potential)
        return self.validator().validate(potential, self.request(potential, folder / "test", **changes))

    # -- rules ---------------------------------------------------------------------------------

    def test_a_good_potential_passes(self) -> None:
        """What is good is not refused, and the summary says something about it."""
        with scratch() as folder:
            found = self.report(folder)
        _assert_sound(found, self._reasons())
        if not self.good_passes:
            raise NotApplicable("the potential of the kit is not good enough for this test")
        assert found.passed, f"a good potential fails: {found.summary}"

    def test_report_is_json_able(self) -> None:
        """Values are finite numbers by name, tables are columns of equal length."""
        with scratch() as folder:
            found = self.report(folder)
        _assert_sound(found, self._reasons())
        json.dumps(dataclasses.asdict(found), allow_nan=False)

    def test_a_ruined_potential_gives_a_verdict(self) -> None:
        """Never an exception, whatever the forces are."""
        with scratch() as folder:
            found = self.report(folder, ruined=True)
        _assert_sound(found, self._reasons())
        assert not (self.ruined_fails and found.passed), f"a ruined potential passes: {found.summary}"

    def test_an_unreadable_potential_gives_a_verdict(self) -> None:
        """A potential whose files are cut off fails the test, and does not break the study."""
        with scratch() as folder:
            home = folder / "potential"
            home.mkdir()
            potential = self.potential(home)
            for name in potential.files.values():
                path = home / name
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            found = self.validator().validate(potential, self.request(potential, folder / "test"))
        _assert_sound(found, self._reasons())
        assert not found.passed, f"a potential that cannot be read passes: {found.summary}"

    def test_writes_only_in_its_folder(self) -> None:
        """Neither the working folder, nor the home folder, nor the potential's folder is touched."""
        with scratch() as folder:
            here, home, test = folder / "here", folder / "home", folder / "test"
            store = folder / "potential"
            for one in (here, home, store):
                one.mkdir()
            potential = self.potential(store)
            before = {p.name: p.read_bytes() for p in store.iterdir()}
            with contextlib.chdir(here), environment(HOME=str(home)):
                self.validator().validate(potential, self.request(potential, test))
            stray = [
                str(p.relative_to(folder)) for one in (here, home) for p in one.rglob("*") if p.is_file()
            ]
            assert not stray, f"wrote {', '.join(stray)}"
            assert {p.name: p.read_bytes() for p in store.iterdir()} == before, "the potential was changed"
            rest = sorted(p.name for p in folder.iterdir() if p.name != "cache")
            assert rest == ["here", "home", "potential", "test"], f"wrote beside its folder: {rest}"

    def test_deterministic_by_seed(self) -> None:
        """The same potential and seed give the same numbers, in a folder used before as well."""
        with scratch() as folder:
            first, again = self.report(folder), self.report(folder)
        assert first.passed == again.passed
        self._assert_same(first.values, again.values)
        assert set(first.tables) == set(again.tables)
        for name in set(first.tables) - set(self.varies):
            for column, values in first.tables[name].items():
                other = again.tables[name][column]
                assert len(values) == len(other), f"table {name}: {column}"
                self._assert_same(dict(enumerate(values)), dict(enumerate(other)))

    def test_frames_are_left_as_they_are(self) -> None:
        """Later trials use them again."""
        chosen = self.frames()
        before = frames_to_json(chosen)
        with scratch() as folder:
            self.report(folder, frames=chosen)
        assert frames_to_json(chosen) == before
        assert all(f.atoms.calc is None for f in chosen), "a calculator is left in a frame"

    def test_check_lets_the_test_run(self) -> None:
        """What a test can run on is not refused before the search, and stays as it is."""
        validator = self.validator()
        if not isinstance(validator, CheckedValidator):
            raise NotApplicable("the validator has no method check")
        chosen = self.frames()
        before = frames_to_json(chosen)
        validator.check(training_data(chosen))
        assert frames_to_json(chosen) == before

    def test_paths_may_hold_spaces_and_letters_of_any_language(self) -> None:
        """The run folder stands where the user wants it."""
        with scratch() as folder:
            plain = self.report(folder / "plain")
            odd = self.report(folder / "my runs (1)" / "Größe Å 模型 'x'")
        assert plain.passed == odd.passed, odd.summary
        self._assert_same(plain.values, odd.values)

    def test_the_potential_may_stand_elsewhere(self) -> None:
        """A relative folder and a copy are as good as the original."""
        with scratch() as folder:
            home = folder / "potential"
            home.mkdir()
            potential = self.potential(home)
            shutil.copytree(home, folder / "copy")
            moved = dataclasses.replace(potential, directory=Path("copy"))
            with contextlib.chdir(folder):
                found = self.validator().validate(moved, self.request(moved, Path("test")))
            plain = self.validator().validate(potential, self.request(potential, folder / "other"))
        assert plain.passed == found.passed, found.summary
        self._assert_same(plain.values, found.values)

    def test_nothing_is_left_running(self) -> None:
        """When the report is there, no process of the test is."""
        import psutil

        before = {p.pid for p in psutil.Process().children(recursive=True)}
        with scratch() as folder:
            self.report(folder)
        left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
        assert not left, f"still running: {left}"

    def test_defaults_are_valid(self) -> None:
        """The test can be named in a study without any option."""
        validate_options(self.declaration.options, {})

    def _reasons(self) -> Mapping[str, str]:
        return self.registry.get(ValidatorProvider, self.provider).reasons

    def _assert_same(self, a: Mapping[Any, float], b: Mapping[Any, float]) -> None:
        kept = set(a) - set(self.varies)
        assert kept == set(b) - set(self.varies), f"values differ: {sorted(map(str, set(a) ^ set(b)))}"
        for name in kept:
            assert math.isclose(a[name], b[name], rel_tol=self.noise, abs_tol=self.noise), (
                f"{name}: {a[name]!r} and {b[name]!r}"
            )


def _assert_sound(found: ValidationReport, reasons: Mapping[str, str]) -> None:
    assert isinstance(found, ValidationReport), f"the answer is a {type(found).__name__}"
    assert isinstance(found.passed, bool)
    assert isinstance(found.summary, str)
    assert found.summary.strip(), "the summary is empty"
    known = {"", *reasons} if found.passed or not reasons else set(reasons)
    assert found.reason in known, f"the reason {found.reason!r} is not declared by the provider"
    assert not (found.passed and found.reason), f"it passed, and the reason is {found.reason!r}"
    for name, value in found.values.items():
        assert isinstance(name, str)
        assert isinstance(value, int | float), f"{name} is a {type(value).__name__}"
        assert math.isfinite(value), f"{name} is {value}"
    for name, columns in found.tables.items():
        lengths = {len(values) for values in columns.values()}
        assert len(lengths) == 1, f"table {name} has columns of lengths {sorted(lengths)}"
        assert all(math.isfinite(v) for values in columns.values() for v in values), f"table {name}"
