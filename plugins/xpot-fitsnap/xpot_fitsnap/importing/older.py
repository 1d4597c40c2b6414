"""Inputs of older versions of FitSNAP in the words of today's."""

from __future__ import annotations

from configparser import ConfigParser

from xpot_core.api import Findings

_MODEL = {
    "solver": "SOLVER", "normweight": "SOLVER", "normratio": "SOLVER", "compute_testerrs": "SOLVER",
    "compute_dbvb": "CALCULATOR",
}  # fmt: skip
"""Settings of the old section MODEL, and where they are now; the others are of BISPECTRUM."""
_RENAMED = {
    ("SOLVER", "normweight"): "normalweight",
    ("CALCULATOR", "compute_dbvb"): "stress",
    ("PATH", "jsonPath"): "dataPath",
    ("PATH", "jsonpath"): "dataPath",
    ("PATH", "datapath"): "dataPath",
    ("BISPECTRUM", "BOLTZT"): "BOLTZ",
    ("GROUPS", "BOLTZT"): "BOLTZ",
}
_GONE = {("OUTFILE", "configs")}
_NUMBERED = ("wj", "radelem", "type", "twojmax", "sinner", "dinner")


def of_today(config: ConfigParser, findings: Findings) -> None:
    """Rename, in place, what had another name or section."""
    if config.has_section("MODEL"):
        for key, value in config.items("MODEL"):
            section = _MODEL.get(key, "BISPECTRUM")
            if not config.has_section(section):
                config.add_section(section)
            config.set(section, key, value)
        config.remove_section("MODEL")
        findings.note("Section MODEL of older versions is read as BISPECTRUM, SOLVER and CALCULATOR.")
    for (section, old), new in _RENAMED.items():
        if config.has_option(section, old):
            config.set(section, new, config.get(section, old))
            config.remove_option(section, old)
    for section, key in _GONE:
        if config.has_section(section):
            config.remove_option(section, key)
    if config.has_section("BISPECTRUM"):
        for name in _NUMBERED:
            values: list[str] = []
            while config.has_option("BISPECTRUM", f"{name}{len(values) + 1}"):
                key = f"{name}{len(values) + 1}"
                values.append(config.get("BISPECTRUM", key))
                config.remove_option("BISPECTRUM", key)
            if values:
                config.set("BISPECTRUM", name, " ".join(values))
