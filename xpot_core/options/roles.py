"""Roles of options: a plugin says what an option is, so that the core never guesses by its name."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from xpot_core.errors import PluginError, nearest


class Role(StrEnum):
    """What an option is, for the core; `option` takes the text.

    Attributes
    ----------
    unit
        Unit of every option with this role, ``""`` for a pure number; None leaves it to the plugin.
    meaning
        What such an option is, and what the core makes of it; the reference shows it.
    """

    unit: str | None
    meaning: str

    def __new__(cls, text: str, unit: str | None, meaning: str) -> Self:
        """A member from its text, unit and meaning."""
        member = str.__new__(cls, text)
        member._value_, member.unit, member.meaning = text, unit, meaning
        return member

    CUTOFF = (
        "cutoff",
        "Å",
        "Of a fitter: the distance where the potential, or one of its terms, ends. `xpot init` takes its range from "
        "the distances in the data; `xpot doctor` warns of a range that begins below the shortest of them.",
    )
    WEIGHT_ENERGY = (
        "weight:energy",
        "",
        "Of a fitter: weight of energies. A search reports which of these hyperparameters have no data to weigh; "
        "`xpot init` proposes one for each group.",
    )
    WEIGHT_FORCE = (
        "weight:force",
        "",
        "The same for forces; `xpot init` leaves it out where the data have none.",
    )
    WEIGHT_VIRIAL = (
        "weight:virial",
        "",
        "The same for virials, which few groups have: `xpot init` proposes one for all groups.",
    )
    SIGMA_ENERGY = ("sigma:energy", None, "Of a fitter: expected error of energies; treated as a weight.")
    SIGMA_FORCE = ("sigma:force", None, "The same for forces.")
    SIGMA_VIRIAL = ("sigma:virial", None, "The same for virials.")
    RIDGE = (
        "ridge",
        "",
        "Of a fitter: penalty on the size of the coefficients. Reports do not advise to widen its range where the "
        "best value is the lowest: a smaller penalty is none.",
    )
    SIZE = (
        "size",
        "",
        "Of a fitter: number of functions, angular momenta or points. Larger is more accurate but costs more: it "
        "implies `converges`, so it stays fixed unless a range is written, and successive halving may raise it.",
    )
    STEPS = (
        "steps",
        "",
        "Of a fitter: number of steps (epochs) of an iterative fit that can go on from a checkpoint. It implies "
        "`converges`; rungs of successive halving continue the fit of the rung below instead of starting again.",
    )
    BALANCE = (
        "balance",
        "",
        "Of a loss: weight of energies (1) against forces (0). `xpot show --alpha` and the marks in the figure of the "
        "Pareto set vary it; `xpot init` sets it to 1 where the data have no forces.",
    )
    VIRIAL_BALANCE = (
        "virial-balance",
        None,
        "Of a loss: weight of virials. `xpot init` sets it where the data have virials, and only then proposes a "
        "weight of virials in the fit: what the loss does not see it cannot judge.",
    )
    GROUP_WEIGHTS = (
        "group-weights",
        "",
        "Of a loss: weight of each group. `xpot init` leaves out the groups of single atoms and pairs.",
    )
    INITIAL_DESIGN = (
        "initial-design",
        "",
        "Of an optimizer: number of trials before it learns from them. `xpot init` gives it twice the number of "
        "hyperparameters that the optimizer moves, and takes an optimizer with one where it may choose; reports shade "
        "these trials.",
    )

    @property
    def weighs(self) -> str:
        """What a weight or a sigma weighs: ``energy``, ``force`` or ``virial``; empty for other roles."""
        kind, _, quantity = self.partition(":")
        return quantity if kind in ("weight", "sigma") else ""

    @classmethod
    def named(cls, text: str) -> Role | None:
        """The role with a text; None where there is none."""
        return next((role for role in cls if role == text), None)

    @classmethod
    def declared(cls, text: str | None, unit: str | None, description: str) -> Role | None:
        """The role that an option is declared with; None without one.

        Raises
        ------
        PluginError
            If there is no such role, or the option has another unit.
        """
        role = cls.named(text) if text is not None else None
        place = f"of the option '{description}'"
        if text is not None and role is None:
            raise PluginError(f"there is no role '{text}' {place}", remedy=nearest(text, cls))
        if role is not None and role.unit and unit not in (None, role.unit):
            raise PluginError(f"the unit {place} is {role.unit}, not {unit}: its role is '{role}'")
        return role
