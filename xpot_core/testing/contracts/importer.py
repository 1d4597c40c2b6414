r"""The contract of importers: their own sources become valid studies, others are refused.

Examples
--------
::

    from xpot_core.testing import ImporterContract

    class TestMine(ImporterContract):
        provider = "mine"
        files = {"input.txt": "cutoff = 5.0\n"}
        source = "input.txt"
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from xpot_core.errors import InputError
from xpot_core.plugins.interfaces import ImporterProvider
from xpot_core.study_file.schema import StudyConfig
from xpot_core.testing.contracts.contract import Contract, NotApplicable, scratch
from xpot_core.types.importing import ImportedStudy

_OF_NOBODY = ("", "no input of any program", "none.txt", "a\x00b", "?" * 5000)
_DATA = json.dumps({"Dataset": {"Data": [{"Positions": [[0.125 * i, 0.5, 0.25] for i in range(10_000)]}]}})
_SECONDS = 0.2


class ImporterContract(Contract):
    """Rules of importers.

    Attributes
    ----------
    source
        What the importer is given: the name of one of `files`, or a text.
    files
        Name -> text of files that are there when the importer runs, in the working folder.
    fitter
        The fitter that the study names.
    """

    kind: ClassVar[Any] = "importer"
    source: ClassVar[str] = ""
    files: ClassVar[dict[str, str]] = {}
    fitter: ClassVar[str] = ""

    def load(self, source: str | None = None) -> ImportedStudy:
        """What a fresh importer makes of a source."""
        importer = self.registry.create("importer", self.provider).instance
        found: ImportedStudy = importer.load(self.source if source is None else source)
        return found

    def test_its_own_source_becomes_a_valid_study(self) -> None:
        """The study file is valid, and the options of the fitter are."""
        with self._there():
            found = self.load()
        config = StudyConfig.model_validate(dict(found.study))
        name, options = next(iter(config.fitter.items()))
        assert not self.fitter or name == self.fitter, f"the study names the fitter '{name}'"
        model = self.registry.provider("fitter", name).options
        unknown = sorted(set(options or {}) - set(model.model_fields))
        assert not unknown, f"fitter '{name}' has no option {', '.join(unknown)}"
        assert all(isinstance(note, str) and note for note in found.notes), "a note says nothing"

    def test_the_same_source_gives_the_same_study(self) -> None:
        """Twice in the same folder."""
        with self._there():
            assert self.load() == self.load()

    def test_recognises_its_own_source_alone(self) -> None:
        """Where it recognises sources: its own, and no empty, odd or missing ones."""
        recognises = self.registry.get(ImporterProvider, self.provider).tool("recognises")
        if recognises is None:
            raise NotApplicable("recognises nothing by itself")
        with self._there():
            assert recognises(self.source), "does not recognise its own source"
            taken = [text[:30] for text in _OF_NOBODY if recognises(text)]
        assert not taken, f"takes for its own: {taken}"

    def test_recognising_is_cheap(self) -> None:
        """Whoever looks for inputs in a folder asks about its structures, too: they are not parsed."""
        recognises = self.registry.get(ImporterProvider, self.provider).tool("recognises")
        if recognises is None:
            raise NotApplicable("recognises nothing by itself")
        with self._there():
            for name in ("structures.json", "structures.yaml"):
                Path(name).write_text(_DATA, encoding="utf-8")
                start = time.process_time()
                assert not recognises(name), f"takes {name} for its own"
                seconds = time.process_time() - start
                assert seconds < _SECONDS, f"takes {seconds:.1f} s for {len(_DATA) // 1000} kB of numbers"

    def test_refuses_what_it_cannot_read(self) -> None:
        """Odd and missing sources are errors that say so."""
        with self._there():
            for text in _OF_NOBODY:
                try:
                    self.load(text)
                except InputError:
                    continue
                raise AssertionError(f"takes {text[:30]!r}")

    @contextlib.contextmanager
    def _there(self) -> Iterator[None]:
        with scratch() as folder, contextlib.chdir(folder):
            for name, text in self.files.items():
                path = Path(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            yield
