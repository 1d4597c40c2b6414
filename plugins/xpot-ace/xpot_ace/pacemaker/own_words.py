"""What pacemaker's input has no word for, in its section ``metadata``, which pacemaker does not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xpot_ace.potential_options import PotentialOptions
from xpot_core.api import InputError, TrainingData

_KEY = "xpot"
_SAID = {
    *PotentialOptions.model_fields,
    *("npot", "fs_parameters", "kappa", "l1_coeffs", "l2_coeffs", "optimizer", "maxiter", "batch_size"),
    "evaluator",
}
"""Options that pacemaker's input says itself, beside one number of functions."""


@dataclass(frozen=True)
class OwnWords:
    """What an input of ours says beside pacemaker's own sections.

    Attributes
    ----------
    options
        Those of the fitter.
    keys
        The study's ``data.keys``.
    """

    options: Mapping[str, Any]
    keys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, options: PotentialOptions, data: TrainingData) -> OwnWords:
        """Of a fit with these options to these data."""
        found = options.model_dump(mode="json", exclude=_SAID)
        if isinstance(found["functions"], int):
            del found["functions"]
        weighted = any(frame.weight != 1.0 for frame in data.frames)
        return cls(found, {"weight": "config_weight"} if weighted else {})

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> OwnWords | None:
        """What an input holds; None where it is not ours.

        Raises
        ------
        InputError
            If the section is not as it was written.
        """
        metadata = content.get("metadata")
        found = metadata.get(_KEY) if isinstance(metadata, Mapping) else None
        if found is None:
            return None
        options, keys = (
            (found.get(name) for name in ("options", "keys")) if isinstance(found, Mapping) else (0, 0)
        )
        if not isinstance(options, Mapping) or not isinstance(keys, Mapping):
            raise InputError("is not as XPOT wrote it", key=f"metadata.{_KEY}", remedy="delete it")
        return cls(options, keys)

    def section(self) -> dict[str, Any]:
        """The section ``metadata``."""
        return {_KEY: {"options": dict(self.options), "keys": dict(self.keys)}}
