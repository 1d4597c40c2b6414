"""The calculator of a SNAP potential, under the name that exported scripts import."""

from xpot_lammps_session.calculator import LammpsCalculator as SnapCalculator

__all__ = ["SnapCalculator"]
