"""`Command`: a function, and the dataclasses that its options come from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from nas_fusion.errors import UsageError, shown
from nas_fusion.settings import Option, default_of, has_default, options_of
from nas_fusion.settings.dotted_names import dotted_options
from nas_fusion.settings.option import DataclassInstance


@dataclass(frozen=True)
class GivenSettings:
    """The settings of a comparison that the user gave as options.

    Args:
        values: by dotted name, as in ``study.toml`` (``recipe.learning_rate``); a setting that was not given is not
            among them, so that a preset can have it otherwise.
    """

    values: Mapping[str, object]

    def has(self, name: str) -> bool:
        """Whether the user gave a setting."""
        return name in self.values


@dataclass(frozen=True)
class CommandOption:
    """An option of a command.

    Args:
        owner: the dataclass that declares it.
        field: which field of it.
        option: what it may be.
        setting: dotted name of a comparison's setting, empty for an option of another dataclass.
    """

    owner: type[DataclassInstance]
    field: str
    option: Option
    setting: str = ""

    @property
    def flag(self) -> str:
        """As the user writes it: ``--emb-dim``, or ``DESIGN`` if it is given by its place."""
        if self.option.placed:
            return self.field.upper()
        return f"--{self.option.name or self.field.replace('_', '-')}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every way to write it; one that a preset may have turned on can be turned off."""
        if self.option.kind != "flag" or not self.setting:
            return (self.flag,)
        return (self.flag, self.flag.replace("--", "--no-", 1))

    @property
    def key(self) -> str:
        """An identifier that no other option of the command has."""
        return self.field if self.option.placed else f"{self.owner.__name__}__{self.field}"

    @property
    def is_required(self) -> bool:
        """Whether it has to be given."""
        return not has_default(self.owner, self.field)

    @property
    def default(self) -> object:
        """What holds where it is not given; None for nothing."""
        return default_of(self.owner, self.field)


@dataclass(frozen=True)
class Command:
    """A command of ``nasfusion``.

    Its options are those of the dataclasses that annotate the parameters of its function, in that order. A parameter
    that is `GivenSettings` stands for the settings of a comparison.

    Args:
        run: does it; its docstring is the command's help.
        example: a command line.
        name: of the command; the function's by default.
        without: what is no option here: settings of a comparison by dotted name, fields of other dataclasses after
            their name (``RunSettings.engine``); ``*`` stands for any text.
        goes_on: whether the same command goes on after an interruption; if not, it writes nothing before its end.
    """

    run: Callable[..., None]
    example: str
    name: str = ""
    without: tuple[str, ...] = ()
    goes_on: bool = True

    @property
    def called(self) -> str:
        """What the user calls it."""
        return self.name or self.run.__name__

    @cached_property
    def parts(self) -> Mapping[str, type[DataclassInstance]]:
        """Parameter of the function → dataclass."""
        parameters = inspect.signature(self.run, eval_str=True).parameters
        return {name: parameter.annotation for name, parameter in parameters.items()}

    @cached_property
    def options(self) -> tuple[CommandOption, ...]:
        """Every option, in the order of the parts."""
        return tuple(option for part in self.parts.values() for option in self._of(part))

    def check(self, arguments: Sequence[str]) -> None:
        """Refuse what the parser would take silently: a value of an option that is there or not.

        Args:
            arguments: what was typed after the command's name.

        Raises:
            UsageError: there is one.
        """
        flags = {name for one in self.options if one.option.kind == "flag" for name in one.spellings}
        for argument in arguments:
            name, equals, value = argument.partition("=")
            if equals and name in flags:
                raise UsageError(f"option {name} does not take a value, got {shown(value)}")

    def call(self, given: Mapping[str, object]) -> None:
        """Run it.

        Args:
            given: values of the options that the user gave, by `CommandOption.key`.

        Raises:
            OptionError: a value is not allowed.
        """
        self.run(**{name: self._made(part, given) for name, part in self.parts.items()})

    def _of(self, part: type[DataclassInstance]) -> Iterator[CommandOption]:
        if part is not GivenSettings:
            for field, option in options_of(part).items():
                if self._takes(f"{part.__name__}.{field}", option):
                    yield CommandOption(part, field, option)
            return
        for name, (owner, field, option) in dotted_options().items():
            if self._takes(name, option):
                yield CommandOption(owner, field, option, setting=name)

    def _takes(self, name: str, option: Option) -> bool:
        return not option.hidden and not any(fnmatchcase(name, pattern) for pattern in self.without)

    def _made(self, part: type[DataclassInstance], given: Mapping[str, object]) -> DataclassInstance:
        mine = [option for option in self.options if option.key in given]
        if part is GivenSettings:
            return GivenSettings({one.setting: given[one.key] for one in mine if one.setting})
        return part(**{one.field: given[one.key] for one in mine if one.owner is part and not one.setting})
