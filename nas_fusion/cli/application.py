"""The commands as a cyclopts application: options in panels, help, `--version`, shell completion."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

from cyclopts import App, CoercionError, Group, Parameter, Token

from nas_fusion import __version__
from nas_fusion.cli.command import Command, CommandOption
from nas_fusion.cli.option_values import read_values
from nas_fusion.settings import Panel

PROGRAM, COMPLETION = "nasfusion", "--install-completion"
_ABOUT = "Search how the blocks of a click-through-rate model should be fused, and compare the ways of searching."
_GROUPS: Mapping[Panel, Group] = {panel: Group.create_ordered(panel.value) for panel in Panel}
_QUOTED = re.compile(r"`([^`]+)`")


def application(commands: Iterable[Command], only: str | None = None) -> App:
    """The command line of some commands; it raises what is wrong with a call instead of printing it.

    Args:
        commands: in the order of help.
        only: the command whose options are wanted, which saves the time for all others'; None: all of them.
    """
    app = App(
        name=PROGRAM,
        help=_ABOUT,
        version=f"nas-fusion {__version__}",
        help_flags=["--help", "-h"],
        version_flags=["--version"],
        help_format="rich",
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,  # the command line says how to go on
    )
    general = Group("Options")
    app["--help"].group = app["--version"].group = general
    app.register_install_completion_command(
        COMPLETION, group=general, help="Let the shell complete commands and options."
    )
    for place, command in enumerate(commands):
        app.command(
            _caller(command, with_options=only in (None, command.called)),
            name=command.called,
            help=_markup(_paragraphs(command.run.__doc__ or "")),
            sort_key=place,
            help_epilogue=f"[bold]Example:[/bold] {_markup(command.example)}",
            version_flags=[],
        )
    return app


def run_command(commands: Sequence[Command], arguments: Sequence[str]) -> None:
    """Read a command line and do what it says.

    Args:
        commands: that there are.
        arguments: what was typed after ``nasfusion``, at least one.

    Raises:
        NasFusionError, CycloptsError: the command line cannot be read, or the command raised it.
    """
    for command in commands:
        if arguments[:1] == [command.called]:
            command.check(arguments[1:])
    try:
        application(commands, None if arguments[:1] == [COMPLETION] else arguments[0])(arguments)
    except CoercionError as error:  # a word that is none of a few, which the parser knows for the shell's sake
        _refuse(error, [one for command in commands for one in command.options])
        raise


def _refuse(error: CoercionError, options: Iterable[CommandOption]) -> None:
    """Refuse a word in the same words as any other value."""
    if error.argument is not None and error.token is not None:
        for one in options:
            if one.key == error.argument.field_info.name:
                read_values(one.option, one.flag, [error.token.value])


def _caller(command: Command, *, with_options: bool) -> Callable[..., None]:
    """What the parser calls: it hands on only what was given, so the command knows what was."""

    def call(*placed: str, **named: list[str] | list[bool]) -> None:
        keys = [option.key for option in command.options if option.option.placed]
        given: dict[str, list[str] | list[bool]] = {
            **{key: [text] for key, text in zip(keys, placed, strict=False)},
            **named,
        }
        command.call({one.key: _read(one, given[one.key]) for one in command.options if one.key in given})

    options = command.options if with_options else ()
    parameters = sorted((_parameter(option) for option in options), key=lambda one: one.kind)
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__name__ = command.called
    return call


def _parameter(one: CommandOption) -> inspect.Parameter:
    option = one.option
    is_flag = option.kind == "flag"
    kinds = inspect.Parameter
    # Lists, so that an option may be given again: the last one counts, as in every shell command.
    typed = str if option.placed else list[bool] if is_flag else list[str]
    annotation = Annotated[  # type: ignore[valid-type]  # it is made at run time
        typed if one.is_required else typed | None,
        Parameter(
            name=one.flag if not option.placed else None,
            help=_markup(help_words(one)),
            group=_GROUPS[Panel.FIRST if option.first else option.panel],
            metavar=option.metavar or None,
            converter=_tokens(one),
            choices=tuple(map(str, option.words)) or None,
            show_choices=False,
            show_default=False,
            negative=one.spellings[1:],
            negative_iterable=(),
            allow_leading_hyphen=not is_flag,
            required=one.is_required,
        ),
    ]
    return kinds(
        one.key,
        kinds.POSITIONAL_ONLY if option.placed else kinds.KEYWORD_ONLY,
        default=kinds.empty if one.is_required else None,  # the settings' own stands in their dataclass
        annotation=annotation,
    )


def _tokens(one: CommandOption) -> Callable[[object, Sequence[Token]], object]:
    """What was typed, of its declared type, which pydantic checks wherever anybody has imported it."""

    def tokens(_: object, found: Sequence[Token]) -> object:
        if one.option.placed:
            return found[-1].value
        return [token.implicit_value if one.option.kind == "flag" else token.value for token in found]

    return tokens


def _read(one: CommandOption, given: Sequence[str] | Sequence[bool]) -> object:
    """What that means.

    Raises:
        UsageError: it is not allowed.
    """
    return given[-1] if one.option.kind == "flag" else read_values(one.option, one.flag, [str(text) for text in given])


def help_words(one: CommandOption) -> str:
    """What help says of an option: its sentence, and in brackets what it may be and its default."""
    option, default = one.option, default_words(one)
    words = f"{option.help.removesuffix('.')}; 0: {option.zero}." if option.zero else option.help
    notes = [option.bound.ends] if option.bound is not None else []
    notes += [f"default: {default}"] if default else []
    return f"{words} [{'; '.join(notes)}]" if notes else words


def default_words(one: CommandOption) -> str:
    """The default as help shows it; empty where there is none to tell of."""
    default = one.default
    if one.option.shown or default is None or default == ():
        return one.option.shown
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _paragraphs(doc: str) -> str:
    """A docstring whose paragraphs are lines, for whatever width the terminal has."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(doc).split("\n\n"))


def _markup(text: str) -> str:
    """A text for rich: what stands between backticks is bold, brackets are brackets."""
    return _QUOTED.sub(r"[bold]\1[/bold]", text.replace("[", r"\["))
