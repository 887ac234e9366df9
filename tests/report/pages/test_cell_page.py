"""The page of a cell: its numbers, its design, and nothing of a stranger's that acts."""

from __future__ import annotations

from nas_fusion.architecture import Architecture
from nas_fusion.report import cell_page
from tests.report.report_fakes import cell, measured


def test_a_cell_on_a_page() -> None:
    record = measured(cell("tpe", 3, cost={"multiply_adds": 2e6, "latency_ms_1": 0.25}, provenance={"threads": 1}))
    text = cell_page(record)
    assert text.startswith("# tpe, seed 3\n\nSearched; hard.\n")
    for line in (
        "- test AUC: 0.7400", "- validation AUC while searching: 0.7000", "- test gauc: 0.6900",
        "- weights: 123 k", "- multiply-adds per row: 2.00 M", "- ms per batch of 1: 0.250",
        "- search and derive: 30.0 s", "- re-train: 10.0 s", "- threads: 1", "output    <- add(deep3)",
    ):  # fmt: skip
        assert f"{line}\n" in text, line


def test_a_hand_made_model_has_no_search_and_its_text_is_shown_only() -> None:
    own = Architecture.build("<b>x</b>", {"width": 8})
    text = cell_page(cell("a|b *c*", 0, "reference", design=own, mode="hard"))
    assert text.startswith("# a\\|b \\*c\\*, seed 0\n\nHand-made model; hard.\n")
    assert "search and derive" not in text
    assert "<b>" not in "".join(text.split("```")[::2])
