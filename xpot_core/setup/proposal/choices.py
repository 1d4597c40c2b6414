"""Which options of a fitter a proposal searches, over which ranges, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xpot_core.options.declare import Range, option_info
from xpot_core.options.roles import Role
from xpot_core.setup.proposal.look import DataFacts
from xpot_core.space.parameters import Space
from xpot_core.space.read import build_space
from xpot_core.study_file.read import flow_yaml
from xpot_core.study_file.template import comment_lines

_BEYOND_FIRST_SHELL = 1.3
"""Lower end of a cutoff in nearest-neighbour distances: fcc has its second shell at 1.41, bcc at 1.15."""
_OUTER = 2.6
"""Upper end: about the sixth shell of fcc; farther out costs more than it brings."""
_WIDEST = 6.0
_DEFAULT_CUTOFFS = Range(2.5, 8.0)
_NARROWEST = 0.5
_FEWEST_FRAMES = 5
"""Of a group, below which some folds have none of it."""
_MOST_SEARCHED = 24
"""Hyperparameters beyond which groups share weights: every one of them asks for trials."""
WIDTH = 100


@dataclass(frozen=True)
class Chosen:
    """One option of the proposal.

    Attributes
    ----------
    value
        As it is in a study file.
    meaning
        What the option is, and why it has this value.
    """

    name: str
    value: Any
    meaning: str

    def lines(self, indent: str) -> list[str]:
        """A comment, and the option."""
        comment = comment_lines(self.meaning, WIDTH - len(indent) - 2)
        return [*(f"{indent}# {line}" for line in comment), f"{indent}{self.name}: {flow_yaml(self.value)}"]


def chosen_options(model: type[BaseModel], facts: DataFacts, own: Mapping[str, Any]) -> list[Chosen]:
    """The options that are worth a search, in their declared order.

    Parameters
    ----------
    model
        The fitter's options.
    facts
        What is in the data.
    own
        Options that the fitter's plugin chooses itself.
    """
    found = _all(model, facts, own, shared=False)
    if len(space_of(model, facts, found)) > _MOST_SEARCHED:
        return _all(model, facts, own, shared=True)
    return found


def space_of(model: type[BaseModel], facts: DataFacts, options: list[Chosen]) -> Space:
    """The hyperparameters that options make."""
    raw = {o.name: o.value for o in options}
    return build_space(model, raw, groups=[g.name for g in facts.groups], elements=facts.elements)


def chosen_by(propose: Callable[..., Mapping[str, Any]], facts: DataFacts) -> Mapping[str, Any]:
    """The options that a fitter's ``propose`` tool chooses itself."""
    low, high = cutoff_range(facts, _DEFAULT_CUTOFFS)
    return propose(
        virials=facts.has_virials,
        elements=facts.elements,
        frames=facts.frames,
        atoms=facts.atoms,
        neighbour=facts.neighbour,
        shortest=facts.shortest,
        pairs={name: (pair.neighbour, pair.shortest) for name, pair in facts.pairs.items()},
        components=facts.components,
        cutoff={"min": low, "max": high},
    )


def _all(model: type[BaseModel], facts: DataFacts, own: Mapping[str, Any], *, shared: bool) -> list[Chosen]:
    found = []
    ridges = 0
    for name, field in model.model_fields.items():
        # one penalty on the coefficients is enough
        ridges += (role := option_info(field).role) is Role.RIDGE
        if role is Role.RIDGE and ridges > 1 and name not in own:
            continue
        default = field.get_default(call_default_factory=True)
        value, why = (own[name], "") if name in own else _value(field, default, facts, shared)
        if value is None or value == {}:
            continue
        meaning = (field.description or "").rstrip(".")
        unit = option_info(field).unit
        meaning += (f" [{unit}]" if unit else "") + (f"; {why}" if why else "")
        found.append(Chosen(name, value, meaning))
    return found


def _value(field: FieldInfo, default: Any, facts: DataFacts, shared: bool) -> tuple[Any, str]:
    """What an option is set to and the reason; None leaves it at its default."""
    if isinstance(default, BaseModel):
        return _inside(default, facts, shared), ""
    if isinstance(default, list) and default and isinstance(default[0], BaseModel):
        return [_inside(model, facts, shared) for model in default], ""
    info = option_info(field)
    if info.tune is None or info.converges or not info.tunable or default is None:
        return None, ""
    if info.role is Role.CUTOFF:
        low, high = cutoff_range(facts, info.tune)
        both = {"min": low, "max": high}
        reason = f"neighbours are {facts.neighbour:.2f} Å away"
        return ([both] * len(default) if isinstance(default, list) else both), reason
    if info.per == ("element",):
        if len(facts.elements) < 2:
            return None, ""
        first, *others = facts.elements
        return {first: default, **dict.fromkeys(others, "tune")}, f"{first} is the measure of the others"
    if isinstance(default, list):
        return ["tune"] * len(default), ""
    if "group" not in info.per:
        return "tune", ""
    weighs = info.role.weighs if info.role is not None else ""
    if weighs == "virial":
        # One weight for all: few groups have virials, and each weight would ask for trials of its own.
        return ("tune" if facts.has_virials else None), ""
    if weighs == "force" and facts.forces is None:
        return None, ""
    if shared or len(facts.groups) < 2:
        return "tune", ""
    idle = [g.name for g in facts.groups if g.molecules or g.frames < _FEWEST_FRAMES]
    if len(idle) == len(facts.groups):
        return "tune", ""
    if not idle:
        return {"tune": True, "per": "group"}, ""
    fixed = {g.name: default if g.name in idle else "tune" for g in facts.groups}
    return fixed, f"the search cannot judge it for {', '.join(idle)}"


def _inside(model: BaseModel, facts: DataFacts, shared: bool) -> dict[str, Any]:
    """The same for the options of a nested model; one of alternatives keeps its name."""
    values = {
        name: _value(field, getattr(model, name), facts, shared)[0]
        for name, field in type(model).model_fields.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def cutoff_range(facts: DataFacts, declared: Range) -> tuple[float, float]:
    """From just beyond the first shell of neighbours to a few shells out, within what is declared."""
    if math.isnan(facts.neighbour):
        return declared.min, declared.max
    low = max(_BEYOND_FIRST_SHELL * facts.neighbour, declared.min)
    # Bonds inside molecules are short, and the potential must reach from one to the next.
    high = min(max(_OUTER * facts.neighbour, _WIDEST), declared.max)
    if high - low < _NARROWEST:
        return declared.min, declared.max
    return math.ceil(10 * low) / 10, math.floor(10 * high) / 10
