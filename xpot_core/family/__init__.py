"""Families of studies: one study file run with several seeds or several values of its keys.

Examples
--------
From Python::

    from xpot_core.study_file.read import read_study
    from xpot_core.family import Family

    family = Family(read_study("study.yaml"), repeat=10)
    outcome = family.run()
    for point in family.results().statistics():
        print(point.values, point.of("test.force_rmse"))
"""

from xpot_core.family.members import Member, members_of
from xpot_core.family.results import FamilyResults, MemberResults, Point, Statistics
from xpot_core.family.run import Family, FamilyOutcome

__all__ = [
    "Family",
    "FamilyOutcome",
    "FamilyResults",
    "Member",
    "MemberResults",
    "Point",
    "Statistics",
    "members_of",
]
