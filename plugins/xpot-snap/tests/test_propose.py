"""What init proposes for SNAP."""

import pytest
from xpot_snap.propose import columns, propose


@pytest.mark.parametrize(
    ("frames", "atoms", "elements", "twojmax", "quadratic"),
    [
        (214, 13000, ("Si",), 6, True),
        (728, 9312, ("In", "P"), 6, True),
        (104, 477, ("Si",), 8, False),  # examples/silicon: 496 columns would learn its rows by heart
        (20, 100, ("Si",), 6, False),
        (2, 10, ("Si",), 6, False),
    ],
)
def test_the_model_is_sized_by_the_data(frames, atoms, elements, twojmax, quadratic):
    found = propose(elements=elements, frames=frames, atoms=atoms, neighbour=2.3)
    assert (found["twojmax"], found.get("quadratic", False)) == (twojmax, quadratic)
    assert found["ridge"]["log"]


def test_columns_of_both_forms():
    assert columns(6, True, 1) == 495
    assert columns(8, False, 2) == 110
