"""The drawing of the architecture is that of the imports as they are."""

from __future__ import annotations

import re
from pathlib import Path

from tests.structure.drawing import drawing
from tests.structure.source_tree import Checkout

ROOT = Path(__file__).resolve().parents[2]


def test_the_drawing_is_current() -> None:
    made = drawing(Checkout(ROOT))
    message = "draw it again: python -m tests.structure --draw docs/architecture.svg"
    assert (ROOT / "docs" / "architecture.svg").read_text("utf-8") == made, message


def test_every_line_leads_down_and_no_box_covers_another() -> None:
    made = drawing(Checkout(ROOT))
    for path in re.findall(r'<path d="M(.+?)"', made):
        heights = [float(pair.split()[1]) for pair in re.findall(r"[-\d.]+ [-\d.]+", path)]
        assert heights == sorted(heights)
    boxes = re.findall(r'<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"', made)
    rows: dict[str, list[tuple[float, float]]] = {}
    for x, y, width in boxes:
        rows.setdefault(y, []).append((float(x), float(x) + float(width)))
    for row in rows.values():
        ends = [end for _, end in sorted(row)]
        assert all(start >= end for (start, _), end in zip(sorted(row)[1:], ends, strict=False))
