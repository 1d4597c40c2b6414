"""The contract of predictors that come without a fitter of their own.

Examples
--------
::

    from xpot_core.testing import PredictorContract

    class TestMine(PredictorContract):
        provider = "mine"
        fitter = "numpy-pair"  # makes the potentials that are evaluated
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from xpot_core.plugins.interfaces import FitterProvider, PredictorProvider
from xpot_core.testing.contracts.contract import NotApplicable, environment, scratch
from xpot_core.testing.frames import frames_to_json
from xpot_core.testing.rules.bench import ONE, Fitted, FitterBench, assert_same
from xpot_core.testing.rules.predictions import PredictorRules
from xpot_core.types.fitting import FittedPotential
from xpot_core.types.predicting import Predictions
from xpot_core.types.structures import Frame


class PredictorContract(PredictorRules):
    """Rules of predictions; the contract of a fitter has them too.

    The potentials come from an installed fitter; override `potential` to make them in another way.

    Attributes
    ----------
    options_of_predictor
        Options of the predictor.
    fitter
        Name of the fitter; by default the first one that makes a format which the predictor accepts.
    """

    kind: ClassVar[Any] = "predictor"
    options_of_predictor: ClassVar[dict[str, Any]] = {}
    fitter: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.predictor = cls.provider

    def potential(self, folder: Path, elements: tuple[str, ...]) -> FittedPotential:
        """A potential for these elements in a folder that exists."""
        from xpot_core.testing.check import contract_class

        name = self.fitter or self._first_fitter()
        bench = contract_class("fitter", name, self.plugin_files)()
        assert isinstance(bench, FitterBench)
        return bench.fit(bench.options(elements), bench.data(elements), folder)

    def _first_fitter(self) -> str:
        accepts = set(self.registry.get(PredictorProvider, self.provider).accepts)
        for name in self.registry.names("fitter"):
            if accepts & set(self.registry.get(FitterProvider, name).produces):
                return name
        raise NotApplicable(f"no installed fitter makes potentials of format {' or '.join(sorted(accepts))}")

    def base(self, elements: tuple[str, ...] = ONE) -> Fitted:
        """The potential and its predictions for the training frames; made once for all rules."""
        return _base(type(self), elements)  # type: ignore[arg-type]

    def predict(self, potential: FittedPotential, chosen: Sequence[Frame], folder: Path) -> Predictions:
        """Predictions of a fresh predictor."""
        made = self.registry.create("predictor", self.provider, dict(self.options_of_predictor))
        folder.mkdir(parents=True, exist_ok=True)
        found: Predictions = made.instance.predict(potential, tuple(chosen), directory=folder)
        return found

    def test_accepts_a_format(self) -> None:
        """The provider says what it reads; else no study ever chooses it."""
        assert self.registry.get(PredictorProvider, self.provider).accepts, "the provider accepts no format"

    def test_writes_only_in_its_folder(self) -> None:
        """Nothing appears in the working directory or in the home folder, and the potential stays."""
        potential = self.base().potential
        before = {name: potential.path(name).read_bytes() for name in potential.files}
        with scratch() as folder:
            here, home = folder / "here", folder / "home"
            here.mkdir()
            home.mkdir()
            with contextlib.chdir(here), environment(HOME=str(home)):
                self.predict(potential, self.frames()[:2], folder / "work")
            stray = [str(p.relative_to(folder)) for one in (here, home) for p in one.rglob("*")]
        assert not stray, f"wrote {', '.join(stray)}"
        assert {name: potential.path(name).read_bytes() for name in potential.files} == before

    def test_frames_are_left_as_they_are(self) -> None:
        """Later trials use them again."""
        chosen = self.frames()
        before = frames_to_json(chosen)
        with scratch() as folder:
            self.predict(self.base().potential, chosen, folder)
        assert frames_to_json(chosen) == before
        assert all(f.atoms.calc is None for f in chosen), "a calculator is left in a frame"

    def test_paths_may_hold_spaces_and_letters_of_any_language(self) -> None:
        """The run folder stands where the user wants it."""
        with scratch() as folder:
            home = folder / "my runs (1)" / "Größe Å 模型 'x'"
            home.mkdir(parents=True)
            found = self.predict(self.potential(home, ONE), self.frames(), home / "work")
        assert_same(found, self.base().predictions, self.frames(), self.noise)


@functools.lru_cache(maxsize=16)
def _base(contract: type[PredictorContract], elements: tuple[str, ...]) -> Fitted:
    keep = tempfile.TemporaryDirectory(prefix="xpot-kit-", ignore_cleanup_errors=True)
    atexit.register(keep.cleanup)
    folder = Path(keep.name).resolve()
    bench = contract()
    with environment(XPOT_CACHE=str(folder / "cache")):
        potential = bench.potential(folder, elements)
        return Fitted(potential, bench.predict(potential, bench.frames(elements), folder / "work"))
