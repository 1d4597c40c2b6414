"""What FitSNAP is told of a study: the same for its library and for its input files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xpot_linear import energy_shifts, fit_factors, target_energies
from xpot_snap_model.settings import DescriptorSettings

from xpot_core.api import Frame, TrainingData
from xpot_fitsnap.options import FitsnapOptions
from xpot_fitsnap.writing.groups import GroupWeights, group_plan
from xpot_fitsnap.writing.sections import fitsnap_settings


@dataclass(frozen=True)
class Plan:
    """One fit.

    Attributes
    ----------
    settings
        Of the descriptors.
    shifts
        Element -> energy (eV) that is subtracted from the energies.
    frames
        The training frames.
    names
        FitSNAP's group of each.
    table
        Weights of these groups.
    """

    settings: DescriptorSettings
    shifts: Mapping[str, float]
    frames: tuple[Frame, ...]
    names: list[str]
    table: Mapping[str, GroupWeights]

    @classmethod
    def of(cls, options: FitsnapOptions, data: TrainingData, leave_out: int | None = None) -> Plan:
        """The fit to all training frames but those of one fold.

        Boltzmann weights are those of all frames: a fold that is left out counts for the lowest energies.
        """
        shifts = energy_shifts(options, data)
        factors = fit_factors(data, target_energies(data, shifts), options.boltzmann_temperature)
        trained = data.training_indices(leave_out)
        frames = tuple(data.frames[i] for i in trained)
        names, table = group_plan(frames, options, [factors[i] for i in trained])
        return cls(fitsnap_settings(options, data.elements), shifts, frames, names, table)
