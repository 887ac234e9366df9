"""Good and cheap in a report: fronts as records tell of them, and who is as good for less, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.records import CellRecord
from nas_fusion.report import (
    ReportModel,
    comparison_caption,
    comparison_figures,
    fronts_frame,
    handed_on_words,
    read_front,
    write_fronts_csv,
)
from nas_fusion.report.numbers.costs.search_fronts import front_of
from nas_fusion.report.pages.html_page import report_html
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.page_reader import Page
from tests.report.report_fakes import cells, comparison_model

NOISE = (0.0, 0.004, -0.004)


def runs(
    name: str, valid: float, test: float, adds: float, kind: str = "multi-trial", **changes: Any
) -> list[CellRecord]:
    """Three seeds around these AUCs; the noise of all strategies is the same."""
    found = cells(name, [valid + n for n in NOISE], [test + n for n in NOISE], kind)
    return [replace(record, cost={"multiply_adds": adds}, **changes) for record in found]


def shifted(records: list[CellRecord], *shifts: float) -> list[CellRecord]:
    return [
        replace(r, valid_auc=r.valid_auc + s, test_auc=r.test_auc + s) for r, s in zip(records, shifts, strict=True)
    ]


def point(adds: float, auc: float | None, **changes: Any) -> dict[str, Any]:
    told = {
        "design": f"design of {adds:g}", "valid_auc": auc, "multiply_adds": adds, "parameters": 10 * adds,
        "behind": 0.0, "error": None, "chosen": False, "content": {"levels": 1},
    }  # fmt: skip
    return {**told, **changes}


FRONT = [
    point(300, 0.7985, behind=0.0015, error=0.0021, chosen=True),
    point(900, 0.8),
    point(100, 0.75, behind=0.05, error=0.003),
]


def searched() -> list[CellRecord]:
    return runs("tpe", 0.800, 0.790, 900, details={"front": FRONT, "prefer": "cheap"})


def stacked(**changes: Any) -> list[CellRecord]:
    """A little behind, by less than one standard error; a third of the multiply-adds."""
    return shifted(runs("stacked", 0.799, 0.7893, 300, "reference", **changes), 0.003, -0.003, 0.0)


def test_as_good_for_less_is_told_of_the_best() -> None:
    (one,) = comparison_model([*searched(), *stacked()]).cheap_equals
    assert (one.cheap.strategy, one.than.strategy, one.seeds) == ("stacked", "tpe", 3)
    assert one.ratio == pytest.approx(1 / 3)
    # By seed -.0007 + (.003, -.003, 0): the deviation is .003, over the root of three.
    assert one.difference == pytest.approx(-0.0007)
    assert one.error == pytest.approx(0.003 / math.sqrt(3))
    assert one.words == (
        "As good as tpe, the best model: stacked (hand-made design) (test AUC difference -0.0007 ±.0017 over 3 seeds), "
        "a third of its multiply-adds."
    )


def test_it_is_told_everywhere() -> None:
    model = comparison_model([*searched(), *stacked()])
    words = model.cheap_equals[0].words
    assert words in comparison_caption(model)
    assert words in Page(report_html(model)).words
    assert "a third of its multiply-adds" in markdown_report(model)
    assert str(model.advice.sentence).startswith(
        "Take stacked: as good as anything found (tie with tpe over 3 seeds), a third of the multiply-adds, "
    )
    shown = {column.title: column.cells for column in model.columns.model}
    assert shown["as good as the best, at so much of its multiply-adds"] == ("–", "33%")


def test_a_search_is_told_of_beside_a_hand_made_best_model() -> None:
    best = runs("parallel", 0.81, 0.80, 2000, "reference")
    cheap = shifted(runs("random", 0.7995, 0.7897, 150), 0.002, -0.002, 0.0)
    model = comparison_model([*best, *searched(), *cheap])
    # Nothing is as good as the best model; of the best found by search another search is.
    assert [(one.cheap.strategy, one.than.strategy, one.role) for one in model.cheap_equals] == [
        ("random", "tpe", "the best found by search")
    ]


@pytest.mark.parametrize(
    "others",
    [
        stacked(details={})[:1],  # one seed in common tells nothing
        runs("stacked", 0.77, 0.79, 300, "reference"),  # validation shows it to be worse
        shifted(runs("stacked", 0.799, 0.7, 300, "reference"), 0.001, -0.001, 0.0),  # test rows do
        shifted(runs("stacked", 0.799, 0.7893, 800, "reference"), 0.003, -0.003, 0.0),  # costs about the same
        [replace(record, cost={}) for record in stacked()],  # nobody knows what it costs
    ],
)
def test_what_is_not_as_good_or_saves_nothing_is_not_told_of(others: list[CellRecord]) -> None:
    assert comparison_model([*searched(), *others]).cheap_equals == []


def model_with_fronts() -> ReportModel:
    derived = runs(
        "darts", 0.78, 0.77, 700, "one-shot", details={"front": [point(700, 0.77, behind=None, chosen=True)]}
    )
    return comparison_model([*searched(), *derived, *stacked()])


def test_fronts_are_those_of_the_best_seeds_cheapest_first() -> None:
    model = model_with_fronts()
    tpe, darts = model.fronts
    assert (tpe.strategy, tpe.seed, tpe.preferred) == ("tpe", 1, "cheap")
    assert [one.multiply_adds for one in tpe.points] == [100, 300, 900]
    assert tpe.chosen is not None
    assert (tpe.chosen.behind, tpe.chosen.error) == (0.0015, 0.0021)
    assert (darts.strategy, len(darts.points), darts.preferred) == ("darts", 1, "")
    assert model.front_table.rows == (
        ("tpe", "3", "0.8000", "900", "0.7985", "0.0015 ±.0021", "300", "3.00 k"),
        ("darts", "1", "0.7700", "700", "0.7700", "–", "700", "7.00 k"),
    )
    assert model.front_note == (
        "Handed on is the cheapest candidate that validation rows cannot tell from the best: tpe. Handed on is the "
        "design that the search derives as published, whatever --prefer says: darts."
    )


def test_what_a_search_handed_on_in_a_line() -> None:
    tpe, darts = model_with_fronts().fronts
    assert handed_on_words(tpe) == (
        "handed on at 300 multiply-adds per row, 3.00 k weights: 0.0015 ±.0021 behind the best, which it cannot be "
        "told from, at 33% of its multiply-adds"
    )
    assert handed_on_words(darts) == "", "it has one design"
    best = read_front("tpe", 0, {"front": [point(300, 0.8, chosen=True), point(200, 0.7)], "prefer": "best"})
    assert handed_on_words(best) == (
        "handed on at 300 multiply-adds per row, 3.00 k weights: the best of what was measured"
    )


def test_the_picture_has_fronts_the_one_handed_on_and_what_was_trained_to_its_end() -> None:
    model = model_with_fronts()
    figure = comparison_figures(model)["fronts"]
    assert figure.layout.xaxis.type == "log"
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [(line.name, list(line.x), list(line.y)) for line in lines] == [
        ("tpe", [100, 300, 900], [0.75, 0.7985, 0.8]), ("darts", [700], [0.77]),
    ]  # fmt: skip
    rest = [(trace.name, list(trace.x)) for trace in figure.data if trace.mode == "markers"]
    assert rest == [("tpe", [300]), ("darts", [700]), ("stacked", [300]), ("tpe", [900]), ("darts", [700])]
    page = report_html(model)
    assert "Good and cheap: what each search measured." in page
    assert "| tpe | 3 | 0.8000 | 900 | 0.7985 | 0.0015 ±.0021 | 300 | 3.00 k |" in markdown_report(model)


def test_records_without_a_front_have_no_picture() -> None:
    model = comparison_model([*runs("tpe", 0.8, 0.79, 900), *stacked()])
    assert (model.fronts, model.front_picture) == ([], None)
    assert "fronts" not in comparison_figures(model)
    assert "Good and cheap" not in report_html(model)
    assert "Good and cheap" not in markdown_report(model)


@pytest.mark.parametrize(
    "told",
    [
        "no list", [1, "two", None], [{}], [point(-5, 0.8)], [point(math.inf, 0.8)],
        [{"multiply_adds": "many", "parameters": 3}],
    ],
)  # fmt: skip
def test_what_somebody_else_wrote_there_does_no_harm(told: object) -> None:
    (record, *_) = runs("tpe", 0.8, 0.79, 900, details={"front": told})
    assert front_of(record).points == ()
    report_html(comparison_model([record]))


def test_fronts_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fronts.csv"
    frame = fronts_frame(searched())
    assert list(frame["multiply_adds"]) == [100, 300, 900] * 3
    assert list(frame["seed"]) == [0] * 3 + [1] * 3 + [2] * 3
    assert list(frame["chosen"])[:3] == [False, True, False]
    write_fronts_csv(searched(), path)
    first, second, *_ = path.read_text("utf-8").splitlines()
    assert first == "strategy,seed,prefer,chosen,valid_auc,behind,error,multiply_adds,parameters,design,json"
    assert second == 'tpe,0,cheap,False,0.75,0.05,0.003,100.0,1000.0,design of 100,"{""levels"": 1}"'
    write_fronts_csv(stacked(), path)
    assert not path.exists(), "of an earlier one nothing stays"
