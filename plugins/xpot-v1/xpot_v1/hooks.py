"""What this plugin registers."""

from __future__ import annotations

from collections.abc import Iterable

from xpot_core.api import ImporterProvider, hookimpl

xpot_api_version = 1


@hookimpl
def xpot_register_importers() -> Iterable[ImporterProvider]:
    """The importer ``xpot``."""
    yield ImporterProvider(
        name="xpot",
        summary="inputs of the published XPOT (hjson), with its script and the table of an old sweep",
        load="xpot_v1.importer:XpotImporter",
        recognises="xpot_v1.importer:recognises",
        packages=("hjson",),
        contract="xpot_v1.contract:IMPORTER",
        citation="D. F. Thomas du Toit and V. L. Deringer, J. Chem. Phys. 159, 024803 (2023)",
    )
