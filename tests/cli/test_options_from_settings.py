"""The command line's options are those of the dataclasses: names, defaults, bounds and help, in both directions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from cyclopts import App

from nas_fusion import settings as room
from nas_fusion.cli import COMMANDS, Command, CommandOption
from nas_fusion.cli.application import application, default_words, help_words
from nas_fusion.cli.command import GivenSettings
from nas_fusion.settings import (
    ComparisonSettings,
    DeviceSettings,
    Option,
    OutputSettings,
    Panel,
    RunSettings,
    option_of,
)
from nas_fusion.settings.dotted_names import SECTIONS, dotted_options, setting_names

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (*SECTIONS.values(), ComparisonSettings, RunSettings, DeviceSettings, OutputSettings)

MADE_BY_COMMANDS = {
    "source": "--data", "strategies": "--strategies, --strategy", "seeds": "--seeds, --seed", "parameters": "--set",
}  # fmt: skip
"""Settings of a comparison without an option of their own, and what they are made from."""

EVERY = [
    pytest.param(command, one, id=f"{command.called} {one.flag}") for command in COMMANDS for one in command.options
]


@pytest.fixture(scope="module")
def app() -> App:
    return application(COMMANDS)


def declared(one: CommandOption) -> Option:
    found = next(option_of(field) for field in fields(one.owner) if field.name == one.field)
    assert found is not None
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.called)
def test_the_parser_knows_exactly_the_dataclasses_options(command: Command, app: App) -> None:
    arguments = app[command.called].assemble_argument_collection()
    parsed = {name for argument in arguments for name in argument.names}
    spellings = [name for one in command.options for name in one.spellings]
    assert len(set(spellings)) == len(spellings)
    assert {name.replace(f"--{one.key}", one.flag) for one in command.options for name in parsed} >= set()
    placed = {one.key.upper(): one.flag for one in command.options if one.option.placed}
    assert {placed.get(name, name) for name in parsed} == set(spellings)


@pytest.mark.parametrize(("command", "one"), EVERY)
def test_every_option_is_its_field(command: Command, one: CommandOption, app: App) -> None:
    option = declared(one)
    argument = next(a for a in app[command.called].assemble_argument_collection() if a.field_info.name == one.key)
    assert one.option is option
    assert option.help
    assert one.flag == (one.field.upper() if option.placed else f"--{option.name or one.field.replace('_', '-')}")
    words = (argument.parameter.help or "").replace("[bold]", "`").replace("[/bold]", "`").replace("\\[", "[")
    assert words == help_words(one)
    assert option.help.removesuffix(".") in words
    assert argument.required == one.is_required
    groups = argument.parameter.group
    assert isinstance(groups, tuple)
    assert [getattr(group, "name", group) for group in groups] == [
        (Panel.FIRST if option.first else option.panel).value
    ]
    if option.bound is not None:
        assert option.bound.ends in words
    if default_words(one):
        assert f"default: {default_words(one)}]" in words
    if not one.is_required:
        assert argument.field_info.default is None  # the parser has none of its own
        assert one.default == _default(one)


def _default(one: CommandOption) -> object:
    return getattr(one.owner, one.field)


def test_every_field_has_an_option_or_says_why_not() -> None:
    for kind in SETTINGS:
        for field in fields(kind):
            name = f"{kind.__name__}.{field.name}"
            if kind is ComparisonSettings and (field.name in SECTIONS or field.name in MADE_BY_COMMANDS):
                continue
            assert option_of(field) is not None, f"{name} has no option: declare it by a function of settings/option.py"
    assert set(MADE_BY_COMMANDS) == {name for name in setting_names() if name not in dotted_options()}


def test_compare_takes_every_setting_that_is_not_hidden() -> None:
    compare = next(command for command in COMMANDS if command.called == "compare")
    assert compare.without == ()
    taken = {one.setting for one in compare.options if one.setting}
    assert taken == {name for name, (_, _, option) in dotted_options().items() if not option.hidden}
    assert {one.field for one in compare.options if one.owner in (RunSettings, OutputSettings)} == {
        field.name for kind in (RunSettings, OutputSettings) for field in fields(kind)
    }
    assert all(len(option.hidden) > 10 for _, _, option in dotted_options().values() if option.hidden)


def test_no_option_is_left_out_under_a_name_that_is_none() -> None:
    for command in COMMANDS:
        parts = [part for part in command.parts.values() if part is not GivenSettings]
        known = {f"{part.__name__}.{field.name}" for part in parts for field in fields(part)}
        known |= set(dotted_options()) if GivenSettings in command.parts.values() else set()
        for pattern in command.without:
            assert any(name == pattern or (pattern.endswith(".*") and name.startswith(pattern[:-1])) for name in known)


def test_ten_options_at_most_come_first() -> None:
    for command in COMMANDS:
        assert sum(one.option.first for one in command.options) <= 10
    assert sum(one.option.first for one in COMMANDS[0].options) == 10


# A default stands once --------------------------------------------------------------------------------------------

FOLDERS = ("nas_fusion/cli", "nas_fusion/training", "nas_fusion/search", "studies", "search_spaces/fusion")
NO_SETTING = {
    "label": "what progress bars call a search", "lr": "torch's own", "preset": "a name in a message",
    "block_width": "a number, which the setting need not be",
}  # fmt: skip
"""Names that a setting has and that mean something else where they stand in code."""


def literal_defaults(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Parameters and fields of dataclasses with a literal for a default, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            a = node.args
            placed = [*a.posonlyargs, *a.args]
            pairs = [*zip(placed[len(placed) - len(a.defaults) :], a.defaults, strict=True)]
            pairs += [(arg, default) for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default]
            yield from ((arg.arg, arg.lineno) for arg, default in pairs if is_literal(default))
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and is_literal(line.value):
                    yield line.target.id, line.lineno


def is_literal(node: ast.expr | None) -> bool:
    return isinstance(node, ast.UnaryOp | ast.Constant) and not (isinstance(node, ast.Constant) and node.value is None)


def test_no_default_of_a_setting_is_repeated() -> None:
    names = {field.name for kind in SETTINGS for field in fields(kind)} - set(NO_SETTING)
    repeated = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, line in literal_defaults(ast.parse(path.read_text("utf-8")))
        if name in names
    ]
    assert repeated == []


def test_a_repeated_default_would_be_found() -> None:
    text = (
        "def f(levels: int = 3, *, seed: int = x): ...\nclass C:\n    patience: int = 2\n    label: str | None = None\n"
    )
    assert list(literal_defaults(ast.parse(text))) == [("levels", 1), ("patience", 3)]


def test_settings_are_dataclasses_that_are_frozen() -> None:
    kinds = [kind for kind in vars(room).values() if isinstance(kind, type) and is_dataclass(kind)]
    assert len(kinds) >= 8
    assert all(kind.__dataclass_params__.frozen for kind in kinds)  # type: ignore[attr-defined]
