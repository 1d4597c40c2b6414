"""How the conformance kit tests the plugin."""

from __future__ import annotations

from typing import Any

CONTRACT: dict[str, Any] = {"tiny_options": {"cutoff": 5.0, "energy_weight": 100.0}}
