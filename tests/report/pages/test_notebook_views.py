"""What a notebook shows: the report's own sentence and table, as HTML in which nothing runs."""

from __future__ import annotations

from nas_fusion.report import comparison_view, html_text, table_view
from tests.report.report_fakes import comparison_model


def test_it_says_what_the_report_says() -> None:
    model = comparison_model()
    shown = comparison_view(model)
    assert f"<b>{html_text(str(model.advice.sentence))}</b>" in shown
    for row in model.rows:
        assert f">{row.summary.strategy}" in shown
    heads = shown.count("<th ")
    assert shown.count("<td") == heads * (len(model.rows) + len(model.absent))
    assert "test AUC" in shown


def test_texts_are_no_markup() -> None:
    shown = table_view(["<script>a</script>"], [("<img src=x onerror=b>",)])
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;img src=x onerror=b&gt;" in shown
