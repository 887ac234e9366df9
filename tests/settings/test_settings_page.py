"""The page of the settings says what the dataclasses say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from nas_fusion.cli import COMMANDS

FILE = Path(__file__).resolve().parents[2] / "docs" / "settings_tables.py"
SPEC = importlib.util.spec_from_file_location("settings_tables", FILE)
assert SPEC is not None
assert SPEC.loader is not None
settings_tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(settings_tables)


def test_the_page_is_current() -> None:
    text = settings_tables.PAGE.read_text("utf-8")
    assert settings_tables.page_with_tables(text) == text, "run: python docs/settings_tables.py"


def test_the_page_has_every_option() -> None:
    text = settings_tables.PAGE.read_text("utf-8")
    for one in (one for command in COMMANDS for one in command.options if not one.option.placed):
        assert f" `{one.flag}` |" in text, one.flag
