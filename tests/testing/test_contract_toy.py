"""The toy fitter keeps the whole contract: it is the pattern for plugin authors."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import ClassVar

from xpot_core.testing import FitterContract, contract_class, toy


class TestNumpyPair(FitterContract):
    provider = "numpy-pair"
    tiny_options: ClassVar = {"cutoff": 4.8, "widths": [0.4, 0.8], "n_basis": 4}


TestNumpyDescent = contract_class("fitter", "numpy-descent")


def test_the_pattern_imports_what_a_plugin_may_import() -> None:
    for path in Path(toy.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("xpot_core"):
                assert str(node.module).startswith(("xpot_core.api", "xpot_core.testing.toy")), (
                    f"{path}:{node.lineno}"
                )
