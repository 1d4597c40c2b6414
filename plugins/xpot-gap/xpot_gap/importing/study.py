"""A study file that makes the fit of a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpot_core.api import Findings, ImportedStudy, InputError, validate_options
from xpot_gap.descriptors.choice import DescriptorChoice
from xpot_gap.importing.data import read_data
from xpot_gap.importing.descriptors import descriptor_entries
from xpot_gap.importing.reading.dictionaries import settings_of
from xpot_gap.importing.reading.grammar import real, whole
from xpot_gap.importing.reading.names import ALIASES, KNOWN, lose_what_has_no_counterpart, plain_names
from xpot_gap.importing.reading.sources import read_source
from xpot_gap.importing.sigmas import e0_options, sigma_options
from xpot_gap.options import GapOptions

_TRAIN = "train.xyz"
_NO_CORE = "quip_params.xml"
"""gap_fit's own core_param_file."""


def study_from_source(source: str) -> ImportedStudy:
    """The study file that fits as a command does, from a text or a file.

    Nothing of the command is dropped in silence: what changes the fit and has no counterpart is in `lost`. Its data
    file, where there is one, says which groups there are.

    Parameters
    ----------
    source
        A command line, a script, a ``config_file``, a potential in XML, or a dictionary in JSON or YAML; files start
        from the working folder.
    """
    findings = Findings()
    return _study(read_source(source, findings), findings)


def study_from_arguments(arguments: Mapping[str, Any]) -> ImportedStudy:
    """The study file of arguments in a dictionary; see `xpot_gap.importing.reading.dictionaries.settings_of`."""
    return _study(settings_of(arguments), Findings())


def _study(given: Mapping[str, str], findings: Findings) -> ImportedStudy:
    findings.note("Made from a gap_fit command: check the data keys, and say what is to be tuned.")
    settings = plain_names(given, KNOWN, ALIASES)
    if "gap" not in settings:
        raise InputError("the command has no at_file= or no gap=", remedy="quote the whole gap_fit command")
    if "at_file" not in settings:
        findings.note(f"The command names no data file; {_TRAIN} is put in.")
        settings["at_file"] = _TRAIN
    lose_what_has_no_counterpart(settings, findings)
    data = read_data(settings, findings)
    by_type = settings.get("config_type_sigma", "")
    if not data.images and (by_type or "config_type_n_sparse" in settings["gap"]):
        findings.note(
            f"{data.file} was not found, so its groups are not known: name every group wherever one is named. "
            f"gap_fit takes default_sigma={{{settings.get('default_sigma', '')}}} for those without a name."
        )
    gap: dict[str, Any] = {"descriptors": descriptor_entries(settings["gap"], by_type, data, findings)}
    gap |= sigma_options(settings, data, findings)
    gap |= _engine(gap["descriptors"])
    gap |= e0_options(settings, data, findings)
    if "sparse_jitter" in settings:
        gap["sparse_jitter"] = real(settings["sparse_jitter"], "sparse_jitter")
    if settings.get("core_ip_args", "").strip():
        gap["core_ip_args"] = settings["core_ip_args"]
        gap["core_param_file"] = settings.get("core_param_file", _NO_CORE)
    elif settings.get("core_param_file", _NO_CORE) != _NO_CORE:
        findings.note("gap_fit takes no core potential without core_ip_args: core_param_file has no effect.")
    # The plugin gives gap_fit the study's seed plus one.
    seed = whole(settings.get("rnd_seed", "-1"), "rnd_seed") - 1
    if seed < 0:
        findings.note(
            "The command has no rnd_seed above 0, so that gap_fit chooses other sparse points each time; the study "
            "has a seed."
        )
    validate_options(GapOptions, gap)
    study = {
        "study": "from-gap-fit",
        "data": {
            "train": data.file,
            # Folds leave all structures to the final fit, as gap_fit has them.
            "validation": {"kfold": 5},
            "keys": data.keys,
            "group_by": data.group_by,
        },
        "fitter": {"gap": gap},
        "seed": max(seed, 0),
    }
    return ImportedStudy(study, tuple(findings.notes), tuple(findings.lost))


def _engine(entries: list[dict[str, Any]]) -> dict[str, str]:
    """gap_fit's own sparse points, so that the fit is the same; its kernels where the plugin has none."""
    chosen = [DescriptorChoice.model_validate(entry).chosen for entry in entries]
    if any(descriptor.needs_gap_fit for descriptor in chosen):
        return {"engine": "gap_fit"}
    return {"sparse_selection": "gap_fit"}
