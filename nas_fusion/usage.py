"""What the command line says when it is called wrongly, and where what it says cannot be shown."""

from __future__ import annotations

import codecs
import difflib
import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from typer.exceptions import TyperException

from nas_fusion.errors import OptionError, UsageError, one_line, shown

SETTINGS = {
    "learning_rate": "lr",
    "retrain_learning_rate": "retrain_lr",
    "soft_learning_rate": "soft_lr",
    "retrain_epochs": "epochs",
}
"""Settings whose options have other names."""

_LOOKS_LIKE = {
    **dict.fromkeys("–—−", "-"), **dict.fromkeys("‘’", "'"), **dict.fromkeys("“”", '"'),
    **{"…": ".", "×": "x", "·": ".", "±": "~", "≥": ">", "≤": "<", "→": ">", "†": "+", "‡": "#", "²": "2"},
}  # fmt: skip
"""One character each, so that tables keep their columns."""


_NO_SUCH_OPTION = re.compile(r"No such option:? '?(-\S+?)'?(?= \(|$)")


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
        arguments: what was typed behind ``nasfusion``.
        commands: command → name of an option in Python → as the user writes it.
    """
    command = next((a for a in arguments if a in commands), "")
    help = f"; see nasfusion {command} --help" if command else "; see nasfusion --help"
    if isinstance(error, UsageError):
        return one_line(f"{error}{help}")
    if isinstance(error, OptionError):
        flag = commands.get(command, {}).get(SETTINGS.get(error.option, error.option).replace("-", "_"))
        return one_line(f"{flag}{str(error).removeprefix(error.option)}{help}" if flag else str(error))
    if isinstance(error, TyperException):
        return one_line(f"{_parsers_words(error, commands.get(command, {}).values())}{help}")
    return one_line(str(error))


def _parsers_words(error: TyperException, flags: Iterable[str]) -> str:
    words = error.format_message().strip().rstrip(".")
    unknown = _NO_SUCH_OPTION.match(words)
    if unknown:
        near = difflib.get_close_matches(unknown[1][:100], list(flags), n=1)
        words = f"no such option {unknown[1]}" + (f"; did you mean {near[0]}?" if near else "")
    return words[:1].lower() + words[1:]
