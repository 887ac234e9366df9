"""`nasfusion`: parses, calls, says in one line what went wrong; no logic.

Everything slow (torch, NNI, pandas) is imported inside the command that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

from cyclopts import CycloptsError

from nas_fusion.cli.application import PROGRAM, run_command
from nas_fusion.cli.command import Command
from nas_fusion.cli.commands import COMMANDS
from nas_fusion.cli.console import shown_command
from nas_fusion.cli.usage_errors import check_arguments, message_of, show_what_can_be_shown
from nas_fusion.errors import NasFusionError, one_line
from nas_fusion.system.cores import wait_without_spinning
from nas_fusion.system.interrupts import Terminated, end_with_parent, exit_codes, interruptible

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
"""What a shell says of a program that SIGPIPE ended."""

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""With Python's 700, a fifth of the time in which torch, Lightning and NNI are imported is a search for garbage."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line.

    What the user can mend becomes one line and exit code 2; Ctrl-C, SIGTERM and SIGHUP one line, and 128 plus the
    signal's number.
    """
    # Read by torch when it first allocates: huge pages halve the time of a dense step on a large embedding table.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    wait_without_spinning()
    end_with_parent()
    show_what_can_be_shown()
    if arguments is None:  # this process is nasfusion's
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    asked = list(sys.argv[1:] if arguments is None else arguments)
    with interruptible(last=arguments is None):
        code = _run(asked)
    if code in exit_codes():
        _say_how_to_go_on(code, asked)
    raise SystemExit(code)


def _run(asked: list[str]) -> int:
    try:
        check_arguments(asked)
        run_command(COMMANDS, asked or ["--help"])
        return 0
    except (NasFusionError, CycloptsError) as error:
        _fail(message_of(error, asked, _flags()))
    except BrokenPipeError:
        _end_quietly()
    except OSError as error:
        _fail(one_line(f"{error.filename or 'file system'}: {error.strerror or error}"))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Terminated as end:
        return 128 + end.number


def _say_how_to_go_on(code: int, asked: list[str]) -> None:
    goes_on = "what is finished is kept, the same command goes on"
    if any(asked[:1] == [command.called] and not command.goes_on for command in COMMANDS):
        goes_on = "nothing is written, the same command begins anew"
    _say(f"\n{PROGRAM}: {exit_codes()[code]}; {goes_on}: {shown_command(asked)}")


def _flags() -> dict[str, dict[str, str]]:
    """Command → name of an option in Python, or without its dashes → as the user writes it."""
    return {command.called: dict(_names(command)) for command in COMMANDS}


def _names(command: Command) -> Iterator[tuple[str, str]]:
    for one in command.options:
        yield one.field, one.flag
        yield one.flag.lstrip("-").replace("-", "_"), one.flag


def _fail(message: str) -> NoReturn:
    _say(f"{PROGRAM}: error: {message}")
    raise SystemExit(EXIT_BAD_INPUT)


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal may be gone, or standard error a file on the disk that is full
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _end_quietly() -> NoReturn:
    """Whoever read the output has closed it, and needs no word about it; nor does the last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(EXIT_CLOSED_PIPE)
