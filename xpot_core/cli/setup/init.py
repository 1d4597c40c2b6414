"""``xpot init``: a study file from the declarations of the plugins, from data, or from another program."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from xpot_core.cli.common import PATH, at_most_one, console, example, say
from xpot_core.cli.complete import providers
from xpot_core.cli.setup.init_keys import ask_on_terminal, given_keys, key_options


class _Init(click.Command):
    """Takes ``--from-TOOL SOURCE``, as it was written before ``--from TOOL SOURCE``, for one more release."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name for parameter in self.params for name in parameter.opts}
        rewritten: list[str] = []
        for word in args:
            name, equals, value = word.partition("=")
            if name.startswith("--from-") and name not in known:
                rewritten += ["--from", name.removeprefix("--from-"), *([value] if equals else [])]
            else:
                rewritten.append(word)
        return super().parse_args(ctx, rewritten)


@click.command(
    cls=_Init,
    epilog=example(
        "xpot init",
        "xpot init --from-data train.xyz --test test.xyz -o study.yaml",
        "xpot init --from-data train.xyz --energy-key E_pbe --force-key F_pbe",
        "xpot init --from gap-fit command.sh -o study.yaml",
    ),
)
@click.option(
    "--fitter",
    shell_complete=providers("fitter"),
    help="Fitting framework; by default the one that is installed, or the first of several.",
)
@click.option(
    "--optimizer",
    default="sobol",
    show_default=True,
    shell_complete=providers("optimizer"),
    help="Optimizer.",
)
@click.option("--study", "name", default="my-study", show_default=True, help="Name of the study.")
@click.option("--train", default="train.xyz", show_default=True, help="Training file.")
@click.option("--test", help="Test file.")
@click.option("--output", "-o", type=PATH, help="Write to a file instead of the terminal; never overwrites.")
@click.option(
    "--interactive",
    "-i",
    is_flag=True,
    help="Look at the data, ask a few questions and write the file; on a terminal the default without options.",
)
@click.option(
    "--from-data",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="Look at a training file and propose ranges that go with it; may be given several times.",
)
@click.option("--validation", type=PATH, help="With --from-data: a validation file instead of folds.")
@key_options
@click.option(
    "--from",
    "tool",
    metavar="TOOL",
    shell_complete=providers("importer"),
    help="Turn the input of another program, SOURCE, into a study file; without SOURCE the program is recognised. "
    "`xpot plugins` lists the importers.",
)
@click.option(
    "--lossy",
    is_flag=True,
    help="With --from: leave out what cannot be carried over, and list it in the study file.",
)
@click.argument("source", required=False)
@click.pass_context
def init(
    ctx: click.Context,
    /,
    fitter: str | None,
    optimizer: str,
    name: str,
    train: str,
    test: str | None,
    output: Path | None,
    interactive: bool,
    from_data: tuple[Path, ...],
    validation: Path | None,
    tool: str | None,
    lossy: bool,
    source: str | None,
    **named: str | None,
) -> None:
    """Print a study file with each option's meaning, unit, default and range; or propose one from data.

    With --from it is made of another program's input: xpot init --from TOOL SOURCE.
    """
    from xpot_core.errors import InputError
    from xpot_core.report.progress import tell_progress
    from xpot_core.study_file.read import check_name
    from xpot_core.study_file.template import path_from, study_template

    at_most_one({"--from-data": from_data, "--from": tool, "--interactive": interactive})
    if source is not None and tool is None:
        raise InputError("a source needs --from", value=source, remedy=f"xpot init --from {source}")
    if validation is not None and not from_data:
        raise InputError("--validation needs --from-data", remedy="xpot init --from-data FILE ...")
    keys = given_keys(named)
    check_name(name, "--study")
    chosen = {p for p in ctx.params if ctx.get_parameter_source(p) is not click.core.ParameterSource.DEFAULT}
    if interactive or (not chosen and sys.stdin.isatty() and sys.stdout.isatty()):
        from xpot_core.cli.setup.init_dialogue import dialogue

        dialogue(
            {"train": train, "test": test, "fitter": fitter, "optimizer": optimizer, "study": name},
            chosen,
            keys,
        )
        return
    if keys and not from_data:
        raise InputError("a key of the files needs --from-data", remedy="xpot init --from-data FILE ...")
    folder = output.parent if output is not None else Path()
    if from_data:
        from xpot_core.plugins.registry import load_registry
        from xpot_core.setup.proposal import Wishes, look_at, propose_study

        wishes = Wishes(
            from_data,
            validation,
            Path(test) if test else None,
            fitter=fitter,
            optimizer=optimizer if "optimizer" in chosen else None,
            study=name if "name" in chosen else None,
            folder=folder,
        )
        with tell_progress(console(stderr=True)):
            facts = look_at(from_data, keys, ask_on_terminal)
        text = propose_study(facts, wishes, load_registry()).text
    elif tool is not None:
        from xpot_core.plugins.registry import load_registry
        from xpot_core.setup.importing import import_study

        with tell_progress(console(stderr=True)):
            text = import_study(
                load_registry(), source or tool, tool if source is not None else None, lossy=lossy
            )
    else:
        text = study_template(
            fitter,
            optimizer,
            study=name,
            train=path_from(Path(train), folder) if "train" in chosen else train,
            test=path_from(Path(test), folder) if test else None,
        )
    if output is None:
        say(text, nl=False)
        return
    if output.exists():
        raise InputError("exists already", file=output, remedy="name another file, or remove it first")
    output.write_text(text, encoding="utf-8")
    say(f"wrote {output}")
