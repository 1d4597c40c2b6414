"""The error tree: every message names what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_ABSENT = object()


class XpotError(Exception):
    """Base of all errors raised on purpose; the command line turns it into an exit status.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    remedy
        What the user can do about it.
    """

    exit_status = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)

    def __str__(self) -> str:
        return self.message + (f"\n  remedy: {self.remedy}" if self.remedy else "")


class InputError(XpotError):
    """The user's input is wrong (exit status 2).

    Parameters
    ----------
    message
        What is wrong with it.
    file, line
        Where it was read.
    key
        Dotted path of the key inside the file, e.g. ``fitter.snap.rcutfac``.
    value
        The offending value, shown as given.
    remedy
        What to write instead.
    """

    exit_status = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        key: str | None = None,
        value: Any = _ABSENT,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.file, self.line, self.key, self.value = file, line, key, value

    @property
    def has_value(self) -> bool:
        """Whether an offending value was given (``None`` is a value too)."""
        return self.value is not _ABSENT

    def at(
        self, *, file: str | Path | None = None, line: int | None = None, key: str | None = None
    ) -> InputError:
        """Return this error with the place filled in where it is not known yet.

        ``key`` is put in front of the key that the error has already.
        """
        joined = ".".join(part for part in (key, self.key) if part) or None
        return type(self)(
            self.message,
            file=self.file or file,
            line=self.line or line,
            key=joined,
            value=self.value,
            remedy=self.remedy,
        )

    def __str__(self) -> str:
        place = str(self.file) if self.file else ""
        if self.file and self.line:
            place += f":{self.line}"
        subject = self.key or ""
        if self.has_value and self.key:
            shown = repr(self.value)
            subject += f" = {shown if len(shown) <= 120 else shown[:117] + '...'}"
        head = ": ".join(part for part in (place, subject, self.message) if part)
        return head + (f"\n  remedy: {self.remedy}" if self.remedy else "")


class DamagedStoreError(InputError):
    """What stands where the store of a study should be does not read as one."""


class NotInstalledError(InputError):
    """A study names a provider that no installed plugin registers."""


class StudyChangedError(InputError):
    """A stored study is continued with data or options that are not those it was started with."""


class StudyLockedError(XpotError):
    """Another process is running the study."""


class PluginError(XpotError):
    """A plugin broke a rule of the hook specification."""


class TrialError(XpotError):
    """A trial cannot be completed; the study goes on.

    Parameters
    ----------
    message
        What happened.
    remedy
        A hint shown with the failed trial.
    log
        Output of the program that failed; its tail is kept.
    retryable
        Whether trying the same values again may help (a lost worker: yes; a singular fit: no).
    """

    def __init__(
        self, message: str, *, remedy: str | None = None, log: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.log = log
        self.retryable = retryable


class StudyEndedError(XpotError):
    """A fit left the study's process in a state that nobody knows: the study ends, after this trial is stored.

    Parameters
    ----------
    message
        What happened.
    result
        The `TrialResult` of the trial that did it.
    remedy
        How to go on.
    """

    def __init__(self, message: str, result: Any, *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.result = result


class FitError(TrialError):
    """The fitting framework failed."""


class PredictError(TrialError):
    """The fitted potential could not be evaluated, or gave NaN."""


class InfeasibleError(TrialError):
    """The candidate violates a constraint (memory, stability) and was refused, not broken."""


class PrunedError(TrialError):
    """The study wants no more of a fit that reports its steps; a fitter lets it pass."""


class TrialTimeoutError(TrialError):
    """The trial ran longer than the study allows."""


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_FOLDER = "a file stands where a folder is needed: name another path"
_NO_RIGHT = "give yourself the right to the file and its folder, or name another path"
_REMEDIES = {
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EISDIR: "a folder stands where a file is needed: name a file",
}


def file_error(error: OSError) -> XpotError | None:
    """What the file system refused, in our words; None for a fault that names no path.

    Parameters
    ----------
    error
        As Python raised it.
    """
    # Of two names, the second is where something was copied or moved to.
    path = error.filename2 or error.filename
    if error.errno in DISK_FULL:
        remedy = "free some disk space and run the same command again; nothing that was stored is lost"
        return XpotError(f"{path or 'a file'}: no space left on the disk", remedy=remedy)
    if error.errno is None or not isinstance(path, str):
        return None
    message = (error.strerror or type(error).__name__).lower()
    return InputError(message, file=path, remedy=_REMEDIES.get(error.errno, "name another path"))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for a typo, or the list of what is known.

    Examples
    --------
    >>> nearest("rcutfax", ["rcutfac", "rfac0"])
    "did you mean 'rcutfac'? Known: rcutfac, rfac0"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    listing = "Known: " + (", ".join(names) if names else "none")
    return f"did you mean '{close[0]}'? {listing}" if close else listing
