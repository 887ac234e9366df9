"""The sentence for whoever decides: what to take, in every case that a comparison can end in, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from nas_fusion.records import GENERAL, CellRecord, FailedCell
from nas_fusion.report import ReportModel, comparison_caption
from nas_fusion.report.numbers.advice.advice_words import cost_words
from nas_fusion.report.numbers.suite_model import SuiteModel
from nas_fusion.report.pages.html_page import report_html, suite_html
from nas_fusion.report.pages.markdown_page import markdown_report
from tests.report.page_reader import Page
from tests.report.report_fakes import cell, cells, comparison_model

NOISE = (0.0, 0.004, -0.004)


def runs(name: str, valid: float, test: float, kind: str = "multi-trial", **changes: Any) -> list[CellRecord]:
    """Three seeds around these AUCs; the noise of test rows goes against that of validation rows."""
    found = cells(name, [valid + n for n in NOISE], [test - n for n in NOISE], kind)
    return [replace(record, **changes) for record in found]


def searched(valid: float = 0.800, test: float = 0.790, **changes: Any) -> list[CellRecord]:
    """A search: 200 000 weights, 30 s to search and 10 s to train."""
    return runs("tpe", valid, test, **{"parameters": 200_000, **changes})


def stacked(valid: float = 0.799, test: float = 0.791, **changes: Any) -> list[CellRecord]:
    """A hand-made design: half the weights, 10 s to train; its noise is not that of the search."""
    found = runs("stacked", valid, test, "reference", **{"parameters": 100_000, **changes})
    shift = (0.003, -0.003, 0.0)
    return [replace(r, valid_auc=r.valid_auc + s, test_auc=r.test_auc + s) for r, s in zip(found, shift, strict=True)]


def sentence(records: Sequence[CellRecord], **changes: Any) -> str:
    return str(comparison_model(records, **changes).advice.sentence)


def test_a_tie_goes_to_the_cheaper_one() -> None:
    model = comparison_model([*searched(), *stacked()])
    assert str(model.advice.sentence) == (
        "Take stacked: as good as anything found (tie with tpe over 3 seeds), half the weights, a quarter of the time."
    )
    assert model.advice.reasons == (
        "Quality, as test AUC: stacked (hand-made design) 0.7910 ±.0061 (validation AUC 0.7990, 3 seeds) and tpe "
        "0.7900 ±.0040 (validation AUC 0.8000, 3 seeds).",
        "Cost, of one seed: stacked 100 k weights, 10.0 s to train; tpe 200 k weights, 40.0 s to search and train.",
        "Cannot be told from stacked on test rows (tie): tpe.",
    )


def test_a_tie_in_which_the_best_is_the_cheapest() -> None:
    assert sentence([*searched(valid=0.798), *stacked(valid=0.8)]) == (
        "Take stacked: as good as anything found (tie with tpe over 3 seeds), half the weights, a quarter of the time."
    )


def test_a_tie_at_equal_cost_goes_to_the_best_on_validation() -> None:
    records = [*runs("random", 0.7995, 0.79), *runs("tpe", 0.8, 0.79)]
    assert sentence(records) == (
        "Take tpe: as good as anything found (tie with random over 3 seeds), at about the same cost."
    )


def test_one_that_validation_shows_to_be_worse_is_no_tie() -> None:
    # Test rows are too noisy for a verdict; on validation it is ten standard errors behind.
    assert sentence([*searched(), *stacked(valid=0.77)]) == (
        "Take tpe: the best validation AUC (0.8000, stacked 0.7700), and nothing is better on test rows (tie), "
        "twice the weights, 4 times the time."
    )


def test_a_clear_winner() -> None:
    assert sentence([*searched(test=0.85), *stacked(test=0.75), *runs("random", 0.79, 0.70)]) == (
        "Take tpe: better than everything else (test AUC +0.1000 over stacked, the next best), twice the weights, 4 "
        "times the time."
    )


@pytest.mark.parametrize("name", ["lightgbm", "logistic-regression"])
def test_a_model_that_is_no_network_may_win(name: str) -> None:
    general = {"details": {GENERAL: True}, "parameters": 400, "retrain_seconds": 0.2}
    assert sentence([*searched(), *stacked(), *runs(name, 0.85, 0.85, "reference", **general)]) == (
        f"Take {name}: better than everything else (test AUC +0.0600 over tpe, the next best), less than 1 % of the "
        "time."
    )


def test_one_seed_decides_nothing() -> None:
    assert sentence([cell("tpe", 0, valid_auc=0.8), cell("stacked", 0, "reference", valid_auc=0.79)], seeds=(0,)) == (
        "Take tpe for now: the best validation AUC, but one seed cannot tell skill from luck."
    )


def test_one_strategy_was_compared_with_nothing() -> None:
    assert sentence(searched()) == "Take tpe: it is the only one with a result, so nothing was compared."


def test_a_failed_cell_is_counted_and_a_strategy_without_any_is_named() -> None:
    lost = tuple(FailedCell("darts", seed, "out of memory") for seed in range(3))
    model = comparison_model([*searched(), *stacked()], failures=lost, ended=True)
    assert str(model.advice.sentence).endswith("a quarter of the time; 3 of 9 cells failed.")
    assert "Without any result, since every cell failed: darts." in model.advice.reasons


def test_cells_that_a_time_limit_left_out_are_counted() -> None:
    late = tuple(FailedCell("darts", seed, "no time") for seed in range(2))
    told = sentence([*searched(), *stacked()], left_out=late, ended=True, time_limit=60.0)
    assert told.endswith("a quarter of the time; 2 of 8 cells left out by the time limit.")
    assert told.startswith("Take stacked")


def test_an_unfinished_comparison_says_so_far() -> None:
    settings = {"strategies": ["tpe", "stacked", "darts"]}
    assert sentence([*searched(), *stacked()], settings=settings) == (
        "So far, take stacked: as good as anything found (tie with tpe over 3 seeds), half the weights, a quarter of "
        "the time; 6 of 9 cells finished."
    )
    assert sentence([], settings=settings) == (
        "So far, take none of these: no cell has a result; 0 of 9 cells finished."
    )


def test_all_cells_failed() -> None:
    failures = (FailedCell("tpe", 0, "out of memory"),)
    assert sentence([], failures=failures, ended=True, seeds=(0,)) == (
        "Take none of these: no cell has a result; 1 of 1 cell failed."
    )


@pytest.mark.parametrize(("valid", "test"), [(0.5, 0.5), (0.5, 0.8), (0.8, 0.5), (float("nan"), 0.8)])
def test_nothing_is_better_than_a_constant(valid: float, test: float) -> None:
    assert sentence([*runs("tpe", valid, test), *runs("random", valid, test)]) == (
        "Take none of these: no model is better than a constant on both validation and test rows (AUC about .5)."
    )


def test_the_best_on_validation_that_is_worth_nothing_on_test_rows_is_not_taken() -> None:
    model = comparison_model([*runs("lucky", 0.9, 0.5), *stacked(), *searched()])
    assert str(model.advice.sentence).startswith("Take stacked: as good as anything found (tie with tpe over 3 seeds)")
    assert (
        "lucky is the best validation AUC (0.9000), but no better than a constant on test rows (AUC 0.5000)."
        in model.advice.reasons
    )


def test_a_better_one_on_test_rows_is_told_and_not_taken() -> None:
    # Validation chooses. What was chosen by test rows would have to be measured on other ones.
    assert sentence([*searched(), *stacked(valid=0.77, test=0.88)]) == (
        "Take tpe with care: the best validation AUC, but stacked is better on test rows (test AUC +0.0900), twice the "
        "weights, 4 times the time."
    )


def test_a_cheap_one_that_test_rows_show_to_be_worse_is_not_taken() -> None:
    assert sentence([*searched(test=0.85), *stacked(test=0.75)]).startswith("Take tpe: better than everything else")


def test_probabilities_worse_than_a_constants_are_for_ranking_only() -> None:
    told: dict[str, Any] = {"test_metrics": {"normalised_entropy": 1.1}}
    assert sentence([*searched(), *stacked(**told)]).endswith(
        "a quarter of the time; its probabilities are worse than a constant's, so use it to rank only."
    )


def test_seeds_that_did_not_learn_are_told_of_the_one_taken() -> None:
    odd = [cell("tpe", seed, valid_auc=v, test_auc=v) for seed, v in enumerate([0.5, 0.95, 0.96])]
    assert "; 1 of its 3 seeds did not learn." in sentence([*odd, *runs("random", 0.7, 0.7)])
    # As good in the mean, within a huge standard error: but it is no equal.
    assert sentence([*odd, *stacked(0.85, 0.85)]).startswith("Take stacked: ")


def test_the_verdict_with_the_reference_is_that_of_the_table() -> None:
    model = comparison_model([*searched(), *stacked()], reference="tpe")
    assert model.decision.standings is not None
    assert model.recommendation.against["tpe"] == model.decision.standings.against["stacked"].flipped


def test_costs_in_words() -> None:
    def words(weights: float, seconds: float, **changes: Any) -> str:
        mine = runs("a", 0.8, 0.8, "reference", parameters=int(weights * 1000), retrain_seconds=seconds, **changes)
        other = runs("b", 0.79, 0.8, "reference", parameters=1000, retrain_seconds=1.0)
        first, second = comparison_model([*mine, *other]).decision.summaries
        return cost_words(first, second)

    assert words(0.75, 0.1) == "three quarters of the weights, a tenth of the time"
    assert words(0.05, 0.004) == "5 % of the weights, less than 1 % of the time"
    assert words(1.1, 1.6) == "about as many weights, one and a half times the time"
    assert words(2.1, 1.2) == "twice the weights, about the same time"
    assert words(3.0, 1234.0) == "3 times the weights, 1,234 times the time"
    assert words(1.0, 0.9) == "at about the same cost"
    assert words(0.1, 1.0, details={GENERAL: True}) == "in about the same time"
    assert words(0.0, 0.0) == "at about the same cost"


def test_every_page_begins_with_the_sentence() -> None:
    model = comparison_model([*searched(), *stacked()])
    told = str(model.advice.sentence)
    assert comparison_caption(model).splitlines()[0] == told
    assert model.dashboard_words["advice"] == told
    assert markdown_report(model).split("\n\n")[1] == f"**{told.replace('stacked', '*stacked*')}**"
    words = Page(report_html(model)).words.replace("stacked :", "stacked:")  # a name stands in an element of its own
    assert words.index(told) < words.index("A click-through-rate model is made of") < words.index("Best model")
    for reason in model.advice.reasons:
        assert reason in words


def several() -> list[ReportModel]:
    return [
        comparison_model([*searched(), *stacked()], data="a.csv"),
        comparison_model([*searched(), *stacked()], data="b.csv"),
        comparison_model([*searched(test=0.85), *stacked(test=0.75)], data="c.csv"),
        comparison_model([*runs("tpe", 0.5, 0.5)], data="d.csv"),
    ]


def test_several_data_sets_are_told_together() -> None:
    told = (
        "Take stacked on a.csv and b.csv (as good as anything found); tpe on c.csv (better than everything else); "
        "nothing on d.csv (no better than chance)."
    )
    assert SuiteModel(tuple(several())).advice == told
    assert Page(suite_html(several())).words.index(told) < 200
    assert SuiteModel(tuple(several()[:2])).advice == "Take stacked on all 2 data sets (as good as anything found)."
