"""The command line: a file per command in `commands`, options made from the dataclasses of `nas_fusion.settings`."""

from nas_fusion.cli.command import Command, CommandOption
from nas_fusion.cli.command_line import main
from nas_fusion.cli.commands import COMMANDS

__all__ = ["COMMANDS", "Command", "CommandOption", "main"]
