"""How the conformance kit tests the plugin: attributes of its contract."""

from __future__ import annotations

from typing import Any

CONTRACT: dict[str, Any] = {
    # A fit that takes a second or less, every option fixed.
    "tiny_options": {"cutoff": 4.8, "order": 4, "vweight": 0.1},
    # A rule that cannot be kept needs its reason: "expected_failures": {"rule": "why"}.
}
