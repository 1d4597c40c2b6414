"""A study file proposed from the data: what is in the files, and ranges that go with it.

`look_at` reads the data files as they are, without a study file; `propose_study` writes the study file.
Neither asks anything: the dialogue of ``xpot init`` only collects the `Wishes`.
"""

from xpot_core.setup.proposal.keys import QUANTITIES, Ask, Given, Guess
from xpot_core.setup.proposal.look import DataFacts, GroupFacts, look_at
from xpot_core.setup.proposal.propose import (
    Proposal,
    Wishes,
    default_optimizer,
    propose_study,
)

__all__ = [
    "QUANTITIES",
    "Ask",
    "DataFacts",
    "Given",
    "GroupFacts",
    "Guess",
    "Proposal",
    "Wishes",
    "default_optimizer",
    "look_at",
    "propose_study",
]
