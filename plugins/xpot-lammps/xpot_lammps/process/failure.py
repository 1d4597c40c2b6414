"""The one exception that a test raises on purpose: the potential has failed."""

from __future__ import annotations

from typing import Any


class Failed(Exception):
    """The potential failed the test.

    Parameters
    ----------
    reason
        One word for tables: ``temperature``, ``energy``, ``distance``, ``lost-atoms`` ...
    message
        One clause for the user.
    **where
        ``step`` and ``stage``, where known.
    """

    def __init__(self, reason: str, message: str, **where: Any) -> None:
        super().__init__(message)
        self.failure = {"reason": reason, "message": message, **where}
