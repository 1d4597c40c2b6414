"""How the conformance kit tests the optimizers: studies of twenty trials."""

from __future__ import annotations

from typing import Any

OWN: dict[str, Any] = {"options": {"candidates": 400}}
GP: dict[str, Any] = {"options": {"initial": 6, "candidates": 400}}
FOREST: dict[str, Any] = {"options": {"initial": 6, "candidates": 400, "trees": 30}}
