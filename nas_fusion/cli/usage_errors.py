"""What the command line says when it is called wrongly, and where what it says cannot be shown."""

from __future__ import annotations

import codecs
import difflib
import io
import sys
from collections.abc import Mapping, Sequence

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnknownOptionError, UnusedCliTokensError

from nas_fusion.errors import OptionError, UsageError, one_line, shown

_LOOKS_LIKE = {
    **dict.fromkeys("–—−", "-"), **dict.fromkeys("‘’", "'"), **dict.fromkeys("“”", '"'),
    **{"…": ".", "×": "x", "·": ".", "±": "~", "≥": ">", "≤": "<", "→": ">", "†": "+", "‡": "#", "²": "2"},
}  # fmt: skip
"""One character each, so that tables keep their columns."""


def show_what_can_be_shown() -> None:
    """Let standard output replace what its encoding has not, instead of ending the program."""
    codecs.register_error("nasfusion", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="nasfusion")


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), "only for writing"
    wrong = error.object[error.start : error.end]
    return "".join(_LOOKS_LIKE.get(c, "?") for c in wrong), error.end


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments that are no text.

    Raises:
        UsageError: one of them is not UTF-8, or has a NUL in it.
    """
    for argument in arguments:
        if not argument.isascii() and any("\ud800" <= c <= "\udfff" for c in argument):
            raise UsageError(f"every argument must be UTF-8, got {shown(argument)}")
        if "\0" in argument:
            raise UsageError(f"no argument may have a NUL character, got {shown(argument)}")


def message_of(error: Exception, arguments: Sequence[str], commands: Mapping[str, Mapping[str, str]]) -> str:
    """The one line about an error.

    Args:
        error: of the parser, or one that nas-fusion raises on purpose.
        arguments: what was typed after ``nasfusion``.
        commands: command → name of an option in Python → as the user writes it.
    """
    command = next((a for a in arguments if a in commands), "")
    help = f"; see nasfusion {command} --help" if command else "; see nasfusion --help"
    if isinstance(error, UsageError):
        return one_line(f"{error}{help}")
    if isinstance(error, OptionError):
        flag = commands.get(command, {}).get(error.option.replace("-", "_"))
        return one_line(f"{flag}{str(error).removeprefix(error.option)}{help}" if flag else str(error))
    if isinstance(error, CycloptsError):
        words = _parsers_words(error, list(commands.get(command, {}).values()), list(commands))
        return one_line(f"{words}{help}")
    return one_line(str(error))


def _parsers_words(error: CycloptsError, flags: Sequence[str], commands: Sequence[str]) -> str:
    unused = (error.unused_tokens or [""])[0]
    if isinstance(error, UnknownOptionError):
        name = error.token.keyword or error.token.value
        return f"no such option {name}{_nearest(name, flags)}"
    if isinstance(error, UnknownCommandError):
        kind = "option" if unused.startswith("-") else "command"
        return f"no such {kind} {unused if kind == 'option' else shown(unused)}{_nearest(unused, commands)}"
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected extra argument {shown(unused)}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.argument.name
        if error.keyword:
            return f"option {error.keyword} requires an argument"
        return f"missing option {shown(name)}" if name.startswith("-") else f"missing argument {name}"
    return str(error)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:100], known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
