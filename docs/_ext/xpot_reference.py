"""Reference pages written from the declarations in the code, each time the documentation is built.

`reference_pages` gives the pages as text; the Sphinx extension writes them to
``docs/reference/generated`` before it reads the sources. What is installed is what is described.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
from option_tables import cell, codes, markdown, option_tables, sentence, table

from xpot_core import api, testing
from xpot_core.cli import group as cli
from xpot_core.options.declare import walk_options
from xpot_core.options.roles import Role
from xpot_core.plugins import hookspecs
from xpot_core.plugins.interfaces.provider import KINDS, Kind, Provider
from xpot_core.plugins.registry import PluginState, Registry, load_registry
from xpot_core.study_file.schema import StudyConfig

if TYPE_CHECKING:
    from sphinx.application import Sphinx

GENERATED = Path(__file__).parents[1] / "reference" / "generated"
_TITLES: dict[Kind, str] = {
    "fitter": "Fitters",
    "predictor": "Predictors",
    "loss": "Losses",
    "optimizer": "Optimizers",
    "executor": "Executors",
    "validator": "Validators",
    "importer": "Importers",
}
_INTRO: dict[Kind, str] = {
    "fitter": "The `fitter` block of the study file. Options marked *tune*, *by range* or *by choices* may "
    "be searched; see [](../../guide/study-file.md) for the ways to write it.",
    "predictor": "The `predictor` block. Without one, the first that reads the fitter's format is taken.",
    "loss": "The `loss` block; see [](../../guide/loss.md).",
    "optimizer": "The `optimizer` block; see [](../../guide/optimizers.md) on how to choose.",
    "executor": "The `executor` block; see [](../../guide/running.md).",
    "validator": "The `validate` list: physical tests of the best potential.",
    "importer": "`xpot init --from TOOL SOURCE`: inputs of other programs as study files.",
}


def reference_pages(registry: Registry | None = None) -> dict[str, str]:
    """File name -> text of every generated page."""
    registry = registry or load_registry()
    pages = {f"{_TITLES[kind].lower()}.md": providers_page(registry, kind) for kind in KINDS}
    pages["roles.md"] = roles_page()
    pages["study-keys.md"] = study_page()
    pages["hooks.md"] = hooks_page()
    pages["commands.md"] = commands_page()
    pages["api.md"] = api_page()
    pages["contracts.md"] = contracts_page()
    return pages


# -- providers and their options -----------------------------------------------------------------


def providers_page(registry: Registry, kind: Kind) -> str:
    """All providers of a kind with their options."""
    lines = [f"# {_TITLES[kind]}", "", _INTRO[kind], ""]
    names = registry.names(kind)
    if not names:
        lines += [f"No plugin that these pages were built with has a {kind}.", ""]
    for name in names:
        provider = registry.provider(kind, name)
        owner = registry.owner(kind, name)
        lines += [f"(provider-{kind}-{name})=", f"## `{name}`", "", sentence(provider.summary), ""]
        facts = _provider_facts(provider, owner.distribution if owner else "?")
        lines += [*(f"- {title}: {fact}" for title, fact in facts), ""]
        if reasons := getattr(provider, "reasons", {}):
            lines += ["Reasons for failing:", ""]
            lines += table(
                ["reason", "what it means"], [[f"`{r}`", cell(text)] for r, text in reasons.items()]
            )
        if provider.options.model_fields:
            lines += option_tables(provider.options, searched=kind == "fitter", level=3, name=name)
        else:
            lines += ["It has no options.", ""]
    return "\n".join(lines)


def _provider_facts(provider: Provider, distribution: str) -> Iterator[tuple[str, str]]:
    yield "Distribution", f"`{distribution}`"
    needs = [*(f"program `{p}`" for p in provider.programs), *(f"package `{p}`" for p in provider.packages)]
    if needs:
        yield "Needs", ", ".join(needs)
    for field, title in (
        ("produces", "Makes potentials of format"),
        ("accepts", "Reads potentials of format"),
    ):
        if getattr(provider, field, ()):
            yield title, codes(getattr(provider, field))
    if provider.tools:
        yield "Tools", codes(sorted(provider.tools))
    if getattr(provider, "objectives", False):
        yield "Several objectives", "yes"
    if provider.citation:
        yield "Please cite", markdown(provider.citation)


def roles_page() -> str:
    """Every role of an option, and the options that have it."""
    registry = load_registry()
    having: dict[Role, list[str]] = {role: [] for role in Role}
    for kind in KINDS:
        for name in registry.names(kind):
            for option in walk_options(registry.provider(kind, name).options):
                if option.info.role is not None:
                    having[option.info.role].append(f"{name}: {option.path}")
    rows = [[f"`{role}`", cell(role.meaning), codes(having[role])] for role in Role]
    lines = ["# Roles of options", "", "[](../../plugins/options.md#roles) tells what they are for.", ""]
    return "\n".join([*lines, *table(["role", "what the core makes of it", "options that have it"], rows)])


# -- the study file --------------------------------------------------------------------------------


def study_page() -> str:
    """Every key of the study file."""
    lines = [
        "# Keys of the study file",
        "",
        "`xpot schema` prints the same as JSON Schema, with the options of every installed plugin. Times are "
        "seconds or `90s`, `15min`, `2h`, `1h 30min`; memory is bytes or `500MB`, `4GB`, `4GiB`. Relative "
        "paths start from the folder of the study file.",
        "",
        *option_tables(StudyConfig, searched=False, level=2, name=""),
    ]
    return "\n".join(lines)


# -- hooks -----------------------------------------------------------------------------------------


def hook_names() -> list[str]:
    """Names of all hooks in the order of their declaration."""
    found = [(inspect.getsourcelines(f)[1], n) for n, f in vars(hookspecs).items() if hasattr(f, "xpot_spec")]
    return [name for _, name in sorted(found)]


def hook_mode(name: str) -> str:
    """What pluggy does with the answers of several plugins."""
    if name.startswith("xpot_register_"):
        return "collect: the providers of all plugins"
    if getattr(hookspecs, name).xpot_spec["firstresult"]:
        return "first result: the first answer that is not None; the core answers last"
    return "notify: answers are ignored; a listener that fails is logged"


def hooks_page() -> str:
    """Signature, mode and meaning of every hook."""
    lines = ["# Hooks", "", markdown(inspect.cleandoc(hookspecs.__doc__ or "")), ""]
    lines += [f"Hook version (`API_VERSION`): {hookspecs.API_VERSION}.", ""]
    for name in hook_names():
        function = getattr(hookspecs, name)
        lines += [f"(hook-{name})=", f"## `{name}`", "", "```python", _signature(function), "```", ""]
        lines += [markdown(inspect.cleandoc(function.__doc__ or "")), "", f"Mode: {hook_mode(name)}.", ""]
    return "\n".join(lines)


def _signature(function: Any) -> str:
    """The signature with annotations as they stand in the source."""
    signature = inspect.signature(function)
    arguments = [f"{p.name}: {p.annotation}" for p in signature.parameters.values()]
    one = f"{function.__name__}({', '.join(arguments)}) -> {signature.return_annotation}"
    if len(one) <= 90:
        return one
    inside = "".join(f"    {a},\n" for a in arguments)
    return f"{function.__name__}(\n{inside}) -> {signature.return_annotation}"


# -- commands --------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand by its full name."""
    context = click.Context(cli.cli, info_name="xpot")

    def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            for part in command.list_commands(context):
                found = command.get_command(context, part)
                if found is not None:
                    yield from walk(f"{name} {part}", found)

    for name in cli.COMMANDS:
        found = cli.cli.get_command(context, name)
        assert found is not None
        yield from walk(f"xpot {name}", found)


def commands_page() -> str:
    """Usage, options and meaning of every command."""
    lines = [
        "# Commands",
        "",
        "Exit status: 0 done, 1 the work failed, 2 the input is wrong. No command prints a Python traceback "
        "unless `--debug` is given.",
        "",
        "## `xpot`",
        "",
        *_command("xpot", cli.cli),
    ]
    for name, command in commands():
        lines += [f"(command-{name.replace(' ', '-')})=", f"## `{name}`", "", *_command(name, command)]
    return "\n".join(lines)


def _command(name: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    lines = ["```", usage, "```", "", markdown(inspect.cleandoc(command.help or "")), ""]
    if command.epilog:
        written = command.epilog.partition("Example:\n")[2]
        lines += ["```", inspect.cleandoc(written), "```", ""]
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            rows.append([f"`{record[0]}`", cell(sentence(record[1]))])
    return lines + (table(["option", "meaning"], rows) if rows else [])


# -- what plugin authors import --------------------------------------------------------------------


def api_modules() -> dict[str, list[str]]:
    """Module -> names that ``xpot_core.api`` and its modules take from it, in the order of the source."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(str(api.__file__)).parent.glob("*.py")):
        # Imports made on demand stand below the top level of the file.
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            inside = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("xpot_core.")
            if inside and not node.module.startswith("xpot_core.api"):
                names = found.setdefault(node.module, [])
                # `xpot.run` and `xpot.open` stand in this room too, and take what is none of the interface.
                names += [a.name for a in node.names if a.name not in names and a.name in api.__all__]
    return {module: names for module, names in found.items() if names}


def api_page() -> str:
    """Everything that ``xpot_core.api`` exports."""
    lines = [
        "# Programming interface",
        "",
        "All of it is imported from `xpot_core.api`. The names for one kind of plugin stand in `api.fitter`, "
        "`api.optimizer`, `api.executor`, `api.validator` and `api.importer` too; `api.quick` has those that load at "
        "once.",
        "",
    ]
    for module, names in api_modules().items():
        source = importlib.import_module(module)
        summary = (source.__doc__ or "").strip().splitlines()[0]
        lines += [f"## `{module}`", "", markdown(summary), ""]
        for name in names:
            lines += _api_entry(source, name)
    return "\n".join(lines)


def _api_entry(source: ModuleType, name: str) -> list[str]:
    found = getattr(api, name)
    if inspect.isclass(found):
        # The constructor of a protocol says nothing, and an inherited one stands where it belongs.
        inherited = issubclass(found, Exception) and "__init__" not in vars(found)
        brackets = "()" if inherited or getattr(found, "_is_protocol", False) else ""
        directive = [f".. autoclass:: xpot_core.api.{name}{brackets}", "   :members:"]
    elif inspect.isfunction(found):
        directive = [f".. autofunction:: xpot_core.api.{name}"]
    else:
        meaning = _constant_docstring(source, name) or inspect.cleandoc(type(found).__doc__ or "")
        value = [f"   :value: {found!r}"] if isinstance(found, int | str) else []
        directive = [f".. py:data:: xpot_core.api.{name}", *value, "", textwrap.indent(meaning, "   ")]
    return ["```{eval-rst}", *directive, "```", ""]


def _constant_docstring(source: ModuleType, name: str) -> str:
    """The text below an assignment in the source of a module; empty without one."""
    body = ast.parse(inspect.getsource(source)).body
    for node, following in pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            value = following.value if isinstance(following, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return inspect.cleandoc(value.value)
    return ""


# -- the conformance kit -----------------------------------------------------------------------------


def contracts() -> dict[str, type]:
    """Every contract class of the conformance kit by its name."""
    found = {}
    for module in pkgutil.walk_packages(testing.__path__, f"{testing.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and name.endswith("Contract") and value.__module__ == module.name:
                found[name] = value
    return dict(sorted(found.items()))


def contracts_page() -> str:
    """The rules of every contract, and the attributes that adapt them to a provider."""
    lines = [
        "# Rules of the conformance kit",
        "",
        "A contract is a class with one `test_` method for each rule, imported from `xpot_core.testing`. "
        "[](../../plugins/testing.md) tells how to use it.",
        "",
    ]
    described: set[type] = set()
    for name, contract in contracts().items():
        lines += [f"## `{name}`", ""]
        rules = {n.removeprefix("test_"): getattr(contract, n) for n in dir(contract) if "test_" in n[:5]}
        rows = []
        for rule, method in rules.items():
            anchor = testing.contracts.contract.rule_anchor(getattr(contract, "kind", ""), rule)
            rows.append([f"`{rule}`", f'<a id="{anchor}"></a>{cell(inspect.getdoc(method) or "")}'])
        lines += table(["rule", "meaning"], rows)
        for base in contract.__mro__:
            if base.__module__.startswith(testing.__name__) and base not in described:
                described.add(base)
                directive = [f".. autoclass:: {base.__module__}.{base.__name__}()", "   :no-members:"]
                lines += ["```{eval-rst}", *directive, "```", ""]
    return "\n".join(lines)


# -- Sphinx ------------------------------------------------------------------------------------------


def write_pages(directory: Path = GENERATED) -> None:
    """Write the pages that changed and remove those of earlier builds."""
    directory.mkdir(parents=True, exist_ok=True)
    pages = reference_pages()
    for old in directory.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, content in pages.items():
        path = directory / name
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")


def _build(app: Sphinx) -> None:
    from sphinx.util.logging import getLogger

    write_pages()
    for record in load_registry().records:
        if record.state in (PluginState.BROKEN, PluginState.INCOMPATIBLE):
            getLogger(__name__).warning("plugin %s is %s: %s", record.plugin, record.state, record.reason)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", _build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
