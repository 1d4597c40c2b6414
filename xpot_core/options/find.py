"""An option found by what a plugin says of it: its role, or the name of a hyperparameter."""

from __future__ import annotations

import re

from pydantic import BaseModel

from xpot_core.options.declare import DeclaredOption, option_info, walk_options
from xpot_core.options.roles import Role


def option_of(model: type[BaseModel], name: str) -> tuple[DeclaredOption, str]:
    """The option that a hyperparameter belongs to, and the group, element or index that it is for.

    ``descriptors.1.soap.cutoff`` belongs to ``descriptors.[].soap.cutoff``, ``eweight.bulk`` to ``eweight``.

    Raises
    ------
    KeyError
        If the model has no such option.
    """
    found = []
    for declared in walk_options(model):
        pattern = re.escape(declared.path).replace(re.escape("[]"), r"\d+")
        match = re.fullmatch(rf"{pattern}(?:\.(.+))?", name)
        if match is not None:
            found.append((declared, match[1] or ""))
    if not found:
        raise KeyError(name)
    # A list of models is an option, and so is each option of its members.
    return max(found, key=lambda one: len(one[0].path))


def option_with(model: type[BaseModel], role: Role) -> str | None:
    """The name of the first option with a role; None where there is none."""
    infos = ((name, option_info(field)) for name, field in model.model_fields.items())
    return next((name for name, info in infos if info.role is role), None)
