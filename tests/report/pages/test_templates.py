"""The page's templates: whatever they write is escaped, and they compute nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas_fusion.report.pages.html_page import TEMPLATES

PAGES = sorted(TEMPLATES.glob("*.html"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_nothing_is_marked_as_safe(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup|\|\s*(join|tojson|format|replace)\b", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_values_in_attributes_stand_in_double_quotes(path: Path) -> None:
    text = re.sub(r"{#.*?#}|{%.*?%}", "", path.read_text("utf-8"), flags=re.DOTALL)
    hole = "\0"
    shown = re.sub(r"{{.*?}}", hole, text, flags=re.DOTALL)
    for tag in re.findall(r"<[a-z][^>]*>", shown):
        assert hole not in re.sub(r'="[^"]*"', "", tag), tag


def test_the_style_sheet_and_the_script_load_nothing() -> None:
    for name in ("report.css", "report.js"):
        text = (TEMPLATES / name).read_text("utf-8")
        assert not re.search(r"url\(|@import|https?:|fetch\(|</", text)
        assert "{{" not in text, "it is no template"
