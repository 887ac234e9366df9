"""Numbers know nothing of figures, figures nothing of pages, for type checkers neither."""

from __future__ import annotations

import ast
from pathlib import Path

import nas_fusion.report

FOLDERS = ("numbers", "figures", "pages")
ROOM = Path(nas_fusion.report.__file__).parent


def imported(path: Path) -> set[str]:
    """What a file imports below ``nas_fusion.report``: the first part of each name."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = [f"{node.module}.{alias.name}" for node in nodes for alias in node.names]
    return {name.split(".")[2] for name in names if name.startswith("nas_fusion.report.")}


def test_no_arrow_leads_back() -> None:
    for place, folder in enumerate(FOLDERS):
        for path in (ROOM / folder).glob("*.py"):
            assert not imported(path) & set(FOLDERS[place + 1 :]), path
    for path in ROOM.glob("*.py"):
        if path.name != "__init__.py":
            assert not imported(path) & set(FOLDERS), path


def test_a_page_asks_the_model_and_no_page() -> None:
    for path in (ROOM / "pages").glob("*.py"):
        assert "pages" not in imported(path), path
