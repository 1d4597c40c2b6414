"""XPOT: finds the hyperparameters that make a machine-learned interatomic potential good.

Examples
--------
::

    import xpot_core as xpot

    study = xpot.run("study.yaml", trials=20)   # or xpot.open("runs/my-study")
    study.best.values
    study.figure("parity")
"""

__version__ = "0.1.0"
__all__ = ["Study", "__version__", "run"]

_ON_DEMAND = {
    "open": ("xpot_core.api.running", "open_study"),
    "run": ("xpot_core.api.running", "run"),
    "Study": ("xpot_core.search.loop", "Study"),
}
"""Public names -> where they are: the command line imports this package too, and must stay quick."""


def __getattr__(name: str) -> object:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    import importlib

    module, attribute = _ON_DEMAND[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_DEMAND})
