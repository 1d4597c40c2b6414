"""The public interface changes on purpose only."""

import subprocess
import sys

import xpot_linear

NAMES = [
    "Basis",
    "Fixed",
    "LinearDesign",
    "LinearFitter",
    "LinearModel",
    "LinearOptions",
    "Rows",
    "RowsPredictor",
    "Tied",
    "WeightOptions",
    "Weights",
    "Work",
    "energy_shifts",
    "fit_factors",
    "predict",
    "run_tasks",
    "store_model",
    "target_energies",
    "weights_of",
]


def test_names_are_those_agreed_on():
    assert xpot_linear.__all__ == NAMES
    assert all(hasattr(xpot_linear, name) for name in NAMES)


def test_options_alone_load_no_scipy():
    code = "import sys, xpot_linear; assert 'scipy' not in sys.modules and 'ase' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
