"""`Option`: what a field of a settings dataclass is as an option, and how its values are checked.

A field is declared once, by one of the functions here; its default, what it may be and its help stand there and nowhere
else. The command line, the tables of docs/reference/settings.md and the checks of presets and studies come from that::

    @dataclass(frozen=True)
    class ModelSettings:
        levels: int = number(3, bounds.LEVELS, "Levels of the space.", panel=Panel.MODEL)

        def __post_init__(self) -> None:
            check_fields(self)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError

V = TypeVar("V")
P = TypeVar("P", Path, Path | None)

_KEY = "option"
"""Of a field's metadata."""

NOT_EMPTY = "a text that is not empty"


class DataclassInstance(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Kind = Literal["number", "word", "text", "path", "flag"]


class Panel(Enum):
    """Where an option stands in help, in this order."""

    FIRST = "What matters first"
    DATA = "Data"
    MODEL = "Model"
    RECIPE = "Recipe"
    BUDGET = "Budget"
    LIMITS = "Limits"
    RUN = "Where it runs"
    WRITTEN = "What is written"


@dataclass(frozen=True, kw_only=True)
class Option:
    """A setting as an option of the command line.

    Args:
        kind: what is typed.
        help: what it is, in a sentence or two.
        panel: what it is about.
        name: of the option, without dashes, where it is not the field's.
        bound: what a number may be.
        zero: what 0 means, where it is none of the bound's numbers; it is allowed then.
        words: what a word may be.
        form: what a text must be, for messages.
        allows: whether a text has that form.
        read: what a text of that form means, where it is not the text itself.
        repeated: whether it may be given several times; the field is a tuple then.
        first: whether it is one of the ten that matter first.
        shown: the default in words, where the field's value does not tell.
        metavar: stands for the value in help.
        placed: whether it is given by its place, not by a name.
        hidden: why the command line has no such option; empty if it has.
    """

    kind: Kind
    help: str
    panel: Panel
    name: str = ""
    bound: Bound | None = None
    zero: str = ""
    words: Collection[str | int] = ()
    form: str = NOT_EMPTY
    allows: Callable[[str], bool] = bool
    read: Callable[[str], object] | None = None
    repeated: bool = False
    first: bool = False
    shown: str = ""
    metavar: str = ""
    placed: bool = False
    hidden: str = ""

    def check(self, name: str, value: object) -> None:
        """Refuse a value that is not allowed; a text that has to be read is left to who reads it.

        Raises:
            OptionError: it is not.
        """
        if self.bound is not None:
            self._check_number(name, self.bound, value)
        elif self.kind == "word":
            for one in self._each(name, value):
                bounds.one_of(name, one, self.words)
        elif self.kind == "flag":
            bounds.check_flag(name, value)
        elif self.kind == "text" and self.read is None:
            bounds.check_text(name, value)
            if not self.allows(str(value)):
                raise OptionError(name, self.form, value)

    def _each(self, name: str, value: object) -> Iterable[object]:
        """The values of an option that may be given several times; the one of any other."""
        if not self.repeated:
            return (value,)
        if not isinstance(value, tuple | list):
            raise OptionError(name, f"a list of some of {', '.join(map(str, self.words))}", value)
        return value

    def _check_number(self, name: str, bound: Bound, value: object) -> None:
        if not self.zero:
            bound.check(name, value)
        elif not Bound(0, 0, bound.integer).allows(value) and not bound.allows(value):
            raise OptionError(name, f"0 or {bound}", value)


REQUIRED: Any = MISSING
"""Stands for the default of a field that has to be given."""


def _declared(default: V, option: Option) -> V:
    return field(default=default, metadata={_KEY: option})


def number(
    default: V,
    bound: Bound,
    help: str,
    *,
    panel: Panel,
    zero: str = "",
    name: str = "",
    first: bool = False,
    shown: str = "",
    hidden: str = "",
) -> V:
    """A field that is a number; see `Option`."""
    return _declared(
        default,
        Option(
            kind="number", help=help, panel=panel, bound=bound, zero=zero, name=name, first=first, shown=shown,
            hidden=hidden, metavar="INT" if bound.integer else "NUM",
        ),
    )  # fmt: skip


def word(
    default: V,
    words: Collection[str | int],
    help: str,
    *,
    panel: Panel,
    name: str = "",
    repeated: bool = False,
    first: bool = False,
    hidden: str = "",
) -> V:
    """A field that is one of a few words, or one of a few numbers; see `Option`."""
    return _declared(
        default,
        Option(
            kind="word", help=help, panel=panel, words=words, name=name, repeated=repeated, first=first, hidden=hidden,
            metavar="WORD",
        ),
    )  # fmt: skip


def text(
    default: V,
    help: str,
    *,
    panel: Panel,
    name: str = "",
    metavar: str = "TEXT",
    form: str = NOT_EMPTY,
    allows: Callable[[str], bool] = bool,
    read: Callable[[str], object] | None = None,
    repeated: bool = False,
    first: bool = False,
    shown: str = "",
    placed: bool = False,
    hidden: str = "",
) -> V:
    """A field that is a text, or read from one; see `Option`."""
    return _declared(
        default,
        Option(
            kind="text", help=help, panel=panel, name=name, metavar=metavar, form=form, allows=allows, read=read,
            repeated=repeated, first=first, shown=shown, placed=placed, hidden=hidden,
        ),
    )  # fmt: skip


def path(
    default: P,
    help: str,
    *,
    panel: Panel,
    name: str = "",
    first: bool = False,
    shown: str = "",
    placed: bool = False,
) -> P:
    """A field that is the path of a file or a folder; see `Option`."""
    return _declared(
        default,
        Option(
            kind="path", help=help, panel=panel, name=name, metavar="PATH", form="a path", first=first, shown=shown,
            placed=placed,
        ),
    )  # fmt: skip


def flag(default: bool, help: str, *, panel: Panel, name: str = "", hidden: str = "") -> bool:
    """A field that is true or false; see `Option`."""
    return _declared(default, Option(kind="flag", help=help, panel=panel, name=name, hidden=hidden))


def option_of(declared: Field[object]) -> Option | None:
    """What a field is as an option; None if it is none."""
    found: Option | None = declared.metadata.get(_KEY)
    return found


def options_of(settings: type[DataclassInstance]) -> Mapping[str, Option]:
    """Field → option, in the order of the dataclass; fields that are none are left out."""
    found = {one.name: option_of(one) for one in fields(settings)}
    return {name: option for name, option in found.items() if option is not None}


def has_default(settings: type[DataclassInstance], name: str) -> bool:
    """Whether a field has a default."""
    declared = _field(settings, name)
    return declared.default is not MISSING or declared.default_factory is not MISSING


def default_of(settings: type[DataclassInstance], name: str) -> object:
    """A field's default; None if it has none."""
    declared = _field(settings, name)
    if declared.default_factory is not MISSING:
        return declared.default_factory()
    return None if declared.default is MISSING else declared.default


def _field(settings: type[DataclassInstance], name: str) -> Field[object]:
    return next(one for one in fields(settings) if one.name == name)


def check_fields(settings: DataclassInstance) -> None:
    """Refuse values that their options do not allow. None is allowed where it is the default.

    Raises:
        OptionError: there is one; names the field.
    """
    for name, option in options_of(type(settings)).items():
        value = getattr(settings, name)
        if value is not None or default_of(type(settings), name) is not None:
            option.check(name, value)
