"""Running a family: its members one after the other, each an ordinary study."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xpot_core.data.reuse import sharing
from xpot_core.errors import InputError, StudyChangedError, StudyLockedError, XpotError
from xpot_core.family.members import Member, blamed, concerns, members_of
from xpot_core.family.results import FamilyResults, read_family
from xpot_core.optimize.stopping import RunOutcome
from xpot_core.results.study_folder import FAMILY_NAME
from xpot_core.search.begin import beginning, move_aside
from xpot_core.search.loop import Observer, Study
from xpot_core.search.study_identity import STUDY_NAME
from xpot_core.store.run_lock import Owner
from xpot_core.store.store import STORE_NAME, Store
from xpot_core.study_file.read import StudyFile
from xpot_core.system.interrupts import Interrupt, sigterm_interrupts

_logger = logging.getLogger("xpot")
Watch = Callable[[int, Member, Study], AbstractContextManager[Observer | None]]
"""Position of a member from 0, the member, its study -> who watches it."""


@dataclass(frozen=True)
class FamilyOutcome:
    """How a run of a family ended.

    Attributes
    ----------
    failed
        Name of each member that failed, and why.
    skipped
        Name of each member that another process runs at this moment, and which.
    interrupted
        Ctrl-C or SIGTERM ended it.
    """

    failed: dict[str, str]
    skipped: dict[str, str]
    interrupted: bool = False

    @property
    def good(self) -> bool:
        """Nothing is left to do or to look at."""
        return not (self.failed or self.skipped or self.interrupted)


class Family:
    """Several studies made from one study file: its matrix, its seeds.

    Parameters
    ----------
    file
        The study file.
    runs
        Folder that holds the folder of the family; those of the members lie in it.
    repeat
        Number of seeds, counted up from that of the study file; None for that one alone.

    Raises
    ------
    InputError
        For anything wrong in the study file with any combination of the matrix, before anything runs.
    """

    def __init__(self, file: StudyFile, runs: str | Path = "runs", *, repeat: int | None = None) -> None:
        if repeat is not None and repeat < 1:
            raise InputError("must be at least 1", key="--repeat", value=repeat)
        self.file = file
        self.repeat = repeat
        self.directory = (Path(runs) / file.config.study).resolve()
        self.members = self._named_as_before(members_of(file, repeat))
        self.files = {m.name: m.study_file(file) for m in self.members}

    def _named_as_before(self, members: Sequence[Member]) -> tuple[Member, ...]:
        """Members keep the names of their folders, by whatever rule those were given."""
        known: dict[str, str] = {}
        if (self.directory / FAMILY_NAME).is_file():
            with contextlib.suppress(InputError):  # damaged: told by who needs it
                rows = read_family(self.directory).get("members", [])
                known = {_identity(row["seed"], row["values"]): row["name"] for row in rows}
        return tuple(replace(m, name=known.get(_identity(m.seed, m.values), m.name)) for m in members)

    def study(self, member: Member) -> Study:
        """The study of a member, in its folder below that of the family."""
        try:
            study = Study(self.files[member.name], self.directory)
        except InputError as error:
            raise self._blamed(error, member) from error
        study.directory = self.directory / member.name
        return study

    def _blamed(self, error: InputError, member: Member) -> InputError:
        """Name the key of the matrix that made a member invalid, unless the study is so without it."""
        for key, value in member.values.items():
            if concerns(error, key):
                return self.file.located(blamed(error, key, value))
        if not member.values:
            return error
        return InputError(
            f"member {member.name}: {error.message}",
            file=error.file,
            line=error.line,
            key=error.key,
            remedy=error.remedy,
        )

    def check(self) -> None:
        """Make the study of every combination once: what is wrong is told before hours are spent.

        Raises
        ------
        InputError
            With the key of the matrix that makes an invalid study.
        """
        with sharing():
            self._check()

    def _check(self) -> None:
        seen: list[dict[str, Any]] = []
        for member in self.members:
            point = {k: v for k, v in member.values.items() if k != "seed"}
            if point not in seen:
                seen.append(point)
                self.study(member)

    # -- running -------------------------------------------------------------------------------

    def run(
        self,
        *,
        trials: int | None = None,
        restart: bool = False,
        extend: bool = False,
        watch: Watch | None = None,
    ) -> FamilyOutcome:
        """Run or resume every member; one that fails does not stop the others.

        Parameters
        ----------
        trials
            Number of finished trials of each member, overriding the study file.
        restart
            Move an earlier family (or study) of this name aside and start anew.
        extend
            Go on with a changed search space in every member that has begun.
        watch
            Gives the observer of each member.

        Raises
        ------
        InputError
            If the family or a member of it was started differently, or the folder holds an ordinary
            study.
        StudyLockedError
            If a restart would take the folder away from a running member.
        """
        failed: dict[str, str] = {}
        skipped: dict[str, str] = {}
        with sharing():
            self._check()
            with beginning(self.directory):
                if restart and self.directory.exists():
                    self._refuse_running()
                    move_aside(self.directory)
                self._take_folder()
            try:
                with sigterm_interrupts():
                    for i, member in enumerate(self.members):
                        try:
                            outcome = self._run_member(i, member, trials, extend, watch)
                        except StudyChangedError:
                            raise  # the study file is another one now, for all members
                        except StudyLockedError as error:
                            skipped[member.name] = error.message
                            continue
                        except Exception as error:
                            _logger.debug("member %s failed", member.name, exc_info=True)
                            failed[member.name] = _reason(error)
                            self._note(member, "failed", failed[member.name])
                            continue
                        if outcome.interrupted:
                            return FamilyOutcome(failed, skipped, interrupted=True)
                        if self._record(member, outcome) == "failed":
                            failed[member.name] = outcome.reason
            except (KeyboardInterrupt, Interrupt):
                return FamilyOutcome(failed, skipped, interrupted=True)
        return FamilyOutcome(failed, skipped)

    def results(self) -> FamilyResults:
        """What is in the stores of the members now."""
        return FamilyResults.open(self.directory)

    def _run_member(
        self, i: int, member: Member, trials: int | None, extend: bool, watch: Watch | None
    ) -> RunOutcome:
        study = self.study(member)
        self._note(member, "", "")
        with watch(i, member, study) if watch else nullcontext() as observer:
            begun = (study.directory / STORE_NAME).is_file()
            return study.run(trials=trials, observer=observer, extend=extend and begun)

    def _record(self, member: Member, outcome: RunOutcome) -> str:
        """Write down how a member ended."""
        with contextlib.closing(Store(self.directory / member.name / STORE_NAME, readonly=True)) as store:
            won = store.get("final") is not None
        bad = not won or outcome.failed
        state = "failed" if bad else "ended"
        self._note(member, state, outcome.reason)
        return state

    # -- family.json ---------------------------------------------------------------------------

    def _refuse_running(self) -> None:
        """Between two members no store tells that a process runs the family."""
        if not (self.directory / FAMILY_NAME).is_file():
            return
        with contextlib.suppress(InputError, TypeError):  # damaged: nobody can run it
            owner = Owner(**read_family(self.directory).get("owner") or {})
            if not owner.mine and owner.near and owner.lives:
                raise StudyLockedError(
                    f"{self.directory} is being run by {owner}",
                    remedy="wait for it or end it, then use --restart",
                )

    def _take_folder(self) -> None:
        """Check that the folder belongs to this family, or make it so."""
        if (self.directory / STORE_NAME).is_file():
            raise InputError(
                f"{self.directory} holds an ordinary study, not a family",
                key="study",
                value=self.file.config.study,
                remedy="give the family another name, e.g. --set study="
                f"{self.file.config.study}-family, or move the study aside with --restart",
            )
        known = read_family(self.directory) if (self.directory / FAMILY_NAME).is_file() else {}
        before = {m["name"]: m for m in known.get("members", [])}
        for member in self.members:
            old = before.get(member.name)
            if old is not None and old["values"] != json.loads(json.dumps(dict(member.values))):
                raise StudyChangedError(
                    f"member {member.name} was made with other values: {old['values']}",
                    key="matrix",
                    file=self.file.path,
                    remedy="undo the change (new values go to the end of a list), or use --restart",
                )
        keep = ("state", "reason")
        rows: list[dict[str, Any]] = []
        for m in self.members:
            state = {k: before.get(m.name, {}).get(k, "") for k in keep}
            rows.append({"name": m.name, "seed": m.seed, "values": dict(m.values), **state})
        self.directory.mkdir(parents=True, exist_ok=True)
        content = {
            "family": 1,
            "study": self.file.config.study,
            "matrix": dict(self.file.config.matrix),
            "repeat": self.repeat,
            "created": known.get("created", time.time()),
            "owner": asdict(Owner.me()),
            "members": rows,
        }
        _write(self.directory / FAMILY_NAME, json.dumps(content, indent=1))
        _write(self.directory / STUDY_NAME, self.file.as_run())

    def _note(self, member: Member, state: str, reason: str) -> None:
        """Update one member; the file is read again, since another process may run other members."""
        with beginning(self.directory):
            content = read_family(self.directory)
            for row in content["members"]:
                if row["name"] == member.name:
                    row.update(state=state, reason=reason)
            _write(self.directory / FAMILY_NAME, json.dumps(content, indent=1))


def refuse_over_family(directory: Path, file: StudyFile, *, restart: bool) -> None:
    """An ordinary run does not mix with a family of the same name.

    Raises
    ------
    InputError
        If the folder holds a family and is not to be moved aside.
    """
    if not (directory / FAMILY_NAME).is_file():
        return
    if restart:  # it is moved aside when the study begins
        return
    family = read_family(directory)
    command = f"xpot run {file.path or 'STUDY.YAML'}" + (
        f" --repeat {family['repeat']}" if family["repeat"] else ""
    )
    raise InputError(
        f"{directory} holds a family of {len(family['members'])} studies",
        file=file.path,
        key="study",
        value=file.config.study,
        remedy=f"continue the family ({command}, with its matrix), give this study another name, "
        "or move the family aside with --restart",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, XpotError):
        return error.message + (f" ({error.remedy})" if error.remedy else "")
    return f"{type(error).__name__}: {error}"


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader never gets half of it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")
    fresh.replace(path)


def _identity(seed: int, values: Mapping[str, Any]) -> str:
    """What makes a member, whatever it is called."""
    return json.dumps([seed, dict(values)], sort_keys=True, default=str)
