"""What a study file says of labels that are missing."""

from __future__ import annotations

from typing import Literal

from xpot_core.options.declare import OptionsModel, option

LeftOut = Literal["zero"] | list[str] | None
"""``zero``: where all numbers are exactly zero; group names: in these groups."""


class Missing(OptionsModel):
    """What is left out as not computed, for each quantity: ``zero`` (where all is exactly zero), or group names."""

    energy: LeftOut = option(None, "Energies that are left out: zero, or a list of groups.")
    forces: LeftOut = option(None, "Forces that are left out: zero, or a list of groups.")
    virial: LeftOut = option(None, "Virials (stresses) that are left out: zero, or a list of groups.")
