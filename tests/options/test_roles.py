"""Roles: what a plugin says of an option, checked where it is declared."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from xpot_core.errors import PluginError
from xpot_core.options.declare import (
    OptionsModel,
    PerElement,
    PerGroup,
    option,
    option_info,
)
from xpot_core.options.find import option_of, option_with
from xpot_core.options.roles import Role


class Term(OptionsModel):
    """One term."""

    reach: float = option(4.0, "Its end.", role="cutoff")
    points: PerGroup[int] = option(10, "Its points.", role="size", per="group")


class Either(OptionsModel):
    """One of two."""

    pair: Term | None = option(None, "Pairs.")
    triplet: Term | None = option(None, "Triplets.")


class Model(OptionsModel):
    """Options below options."""

    terms: list[Either] = option(list, "Terms.")
    inner: Term = option(Term, "A block.")
    shells: list[float] = option(lambda: [3.0, 5.0], "Ends of shells.", role="cutoff")
    own: PerElement[float] = option(4.0, "End of an element.", role="cutoff", per="element")
    pull: PerGroup[float] = option(1.0, "Weight.", role="weight:force", per="group")
    plain: float = option(1.0, "Nothing known.")


def test_a_wrong_role_is_an_error_where_it_is_declared() -> None:
    with pytest.raises(PluginError, match="no role 'cutof' of the option 'Its end") as caught:
        option(4.0, "Its end.", role="cutof")
    assert caught.value.remedy is not None
    assert "did you mean 'cutoff'" in caught.value.remedy
    assert all(role in caught.value.remedy for role in Role)
    with pytest.raises(PluginError, match="is Å, not nm"):
        option(0.4, "Its end.", unit="nm", role="cutoff")


def test_a_role_says_the_unit_and_that_larger_is_better() -> None:
    infos = {name: option_info(field) for name, field in Term.model_fields.items()}
    assert (infos["reach"].role, infos["reach"].unit, infos["reach"].converges) == (Role.CUTOFF, "Å", False)
    assert (infos["points"].role, infos["points"].unit, infos["points"].converges) == (Role.SIZE, "", True)
    assert option_info(Model.model_fields["plain"]).role is None
    # The schema is plain JSON, for editors and other programs.
    assert Model.model_json_schema()["properties"]["pull"]["xpot"]["role"] == "weight:force"


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_meaning(role: Role) -> None:
    assert role.meaning.endswith(".")
    assert role.weighs in ("", "energy", "force", "virial")


@pytest.mark.parametrize(
    ("name", "path", "member"),
    [
        ("terms.1.pair.reach", "terms.[].pair.reach", ""),
        ("terms.0.triplet.points.bulk", "terms.[].triplet.points", "bulk"),
        ("inner.reach", "inner.reach", ""),
        ("shells.1", "shells", "1"),
        ("own.Si", "own", "Si"),
        ("pull.a.b.inner", "pull", "a.b.inner"),  # names of groups may hold anything
        ("plain", "plain", ""),
    ],
)
def test_a_hyperparameter_belongs_to_its_option(name: str, path: str, member: str) -> None:
    found, rest = option_of(Model, name)
    assert (found.path, rest) == (path, member)


def test_what_is_not_there() -> None:
    with pytest.raises(KeyError):
        option_of(Model, "plainly")
    assert option_with(Model, Role.CUTOFF) == "shells"
    assert option_with(Model, Role.BALANCE) is None
    assert option_with(BaseModel, Role.CUTOFF) is None
