"""Options of every test that runs in a process of its own."""

from __future__ import annotations

from xpot_core.api import OptionsModel, option


class ChildOptions(OptionsModel):
    """See the module."""

    timeout: float = option(
        1800.0, "Seconds after which the test is ended; the potential has then failed.", unit="s", gt=0
    )
