"""How the conformance kit tests the optimizers: studies of twenty trials."""

from __future__ import annotations

from typing import Any

TPE: dict[str, Any] = {"options": {"initial": 6}}
CMAES: dict[str, Any] = {"options": {"initial": 6, "population": 5}}
GP: dict[str, Any] = {"options": {"initial": 6}}
NSGA2: dict[str, Any] = {"options": {"population": 6}}
