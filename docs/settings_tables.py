"""Write the tables of ``docs/reference/settings.md`` from the dataclasses: ``python docs/settings_tables.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nas_fusion.cli import COMMANDS, CommandOption
from nas_fusion.cli.application import default_words, help_words
from nas_fusion.settings import Option, Panel
from nas_fusion.settings.dotted_names import dotted_options

PAGE = Path(__file__).resolve().parent / "reference" / "settings.md"
BEGIN, END = "<!-- tables: begin; written by docs/settings_tables.py -->", "<!-- tables: end -->"


def tables() -> str:
    """A table for every panel of help: setting, option, default, what it may be, what it is."""
    return "\n".join(line for panel in Panel for line in _table(panel))


def page_with_tables(text: str) -> str:
    """The page with the tables in place of what stands between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}{END}{after}"


def _table(panel: Panel) -> Iterator[str]:
    rows = [_row(one) for one in _options() if one.option.panel is panel]
    if rows:
        yield from (f"### {panel.value}", "", "| setting | option | default | may be | |", "|---|---|---|---|---|")
        yield from rows
        yield ""


def _options() -> Iterator[CommandOption]:
    """Settings of a comparison, those without an option included; then what only commands have, each name once."""
    shown = set()
    for name, (owner, field, option) in dotted_options().items():
        yield CommandOption(owner, field, option, setting=name)
        shown.add(CommandOption(owner, field, option).flag)
    for one in (one for command in COMMANDS for one in command.options if not one.option.placed):
        if one.flag not in shown:
            yield one
            shown.add(one.flag)


def _row(one: CommandOption) -> str:
    option = one.option
    setting = f"`{one.setting}`" if one.setting else ""
    flag = "" if option.hidden else f"`{one.flag}`"
    words = help_words(one).partition(" [")[0] if "[" not in option.help else option.help
    what = f"{words} For presets and Python only." if option.hidden else words
    return f"| {setting} | {flag} | {_code(default_words(one), option)} | {_allowed(option)} | {_cell(what)} |"


def _allowed(option: Option) -> str:
    if option.bound is not None:
        return f"0, or {option.bound.ends}" if option.zero else option.bound.ends
    if option.words:
        return ", ".join(f"`{word}`" for word in option.words)
    return "yes or no" if option.kind == "flag" else ""


def _code(default: str, option: Option) -> str:
    return _cell(default) if not default or option.shown or option.kind == "flag" else f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text("utf-8")), "utf-8")
