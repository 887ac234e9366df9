"""Who is best, against whom the others are compared, and by which tests; against cases worked out by hand."""

from __future__ import annotations

import math

import pytest

from nas_fusion.errors import UnknownNameError
from nas_fusion.records import CellRecord, FailedCell
from nas_fusion.report import Decision
from nas_fusion.report import headline as paragraphs
from nas_fusion.report.numbers.suite_model import overall_standings
from nas_fusion.statistics import compare_over_data_sets, compare_with_reference
from tests.report.report_fakes import cell, cells, comparison_model

VALUES = {"tpe": 0.755, "random": 0.750, "darts": 0.752, "stacked": 0.748, "finalmlp": 0.756}
HAND_MADE = ("stacked", "finalmlp")
TESTS = {n: [v, v + 0.001 * len(n), v - 0.0005 * i] for i, (n, v) in enumerate(VALUES.items())}
RUNS = {n: dict(enumerate(tests)) for n, tests in TESTS.items()}


def headline(decision: Decision) -> str:
    return " ".join(paragraphs(decision))


def five() -> list[CellRecord]:
    """Five strategies, the best of them hand-made."""
    kinds = {n: "reference" if n in HAND_MADE else "multi-trial" for n in VALUES}
    return [r for n, v in VALUES.items() for r in cells(n, [v] * 3, TESTS[n], kinds[n])]


def test_the_best_model_is_whatever_has_the_best_validation_auc() -> None:
    found = comparison_model(five()).decision
    assert found.best is not None
    assert found.best_found is not None
    assert (found.best.strategy, found.best_found.strategy) == ("finalmlp", "tpe")
    words = headline(found)
    assert "Best model: finalmlp (hand-made design), validation AUC 0.7560" in words
    assert "Best found by search: tpe, validation AUC 0.7550" in words


def test_one_that_is_both_is_named_once() -> None:
    found = comparison_model([r for r in five() if r.strategy != "finalmlp"]).decision
    assert found.best is found.best_found
    assert headline(found).startswith("Best model, and best found by search: tpe, validation AUC 0.7550")


def test_models_that_are_level_in_the_digits_shown_are_named() -> None:
    records = [*cells("a", [0.8], [0.7]), *cells("b", [0.80001], [0.7]), *cells("c", [0.7999], [0.7])]
    found = comparison_model(records).decision
    assert found.level == ("a",)
    assert "level with a in all digits shown" in headline(found)
    assert comparison_model(five()).decision.level == ()


def test_without_a_search_the_best_model_is_the_reference() -> None:
    records = [r for r in five() if r.strategy in HAND_MADE]
    found = comparison_model(records).decision
    assert found.best_found is None
    assert found.standings is not None
    assert found.standings.reference == "finalmlp"
    assert "search" not in headline(found)


def test_an_unnamed_reference_is_corrected_for_the_choice_among_the_searches() -> None:
    found = comparison_model(five()).decision.standings
    assert found is not None
    assert (found.reference, found.how) == ("tpe", "chosen")
    expected = compare_with_reference(RUNS, "tpe", chosen_from=["tpe", "random", "darts"])
    assert found.against == {c.name: c for c in expected}


@pytest.mark.parametrize("reference", list(VALUES))
def test_a_reference_named_beforehand_is_not_corrected_for_a_choice(reference: str) -> None:
    found = comparison_model(five(), reference=reference).decision.standings
    assert found is not None
    assert (found.reference, found.how, found.why) == (reference, "beforehand", "named for it")
    assert found.against == {c.name: c for c in compare_with_reference(RUNS, reference)}


@pytest.mark.parametrize("reference", [n for n in VALUES if n != "tpe"])
def test_a_reference_named_afterwards_could_have_been_any(reference: str) -> None:
    found = comparison_model(five(), reference=reference, named_beforehand=False).decision.standings
    assert found is not None
    assert (found.reference, found.how) == (reference, "afterwards")
    assert found.against == {c.name: c for c in compare_with_reference(RUNS, reference, chosen_from=list(VALUES))}
    assert "for the choice of any strategy" in found.correction


def test_naming_the_winner_afterwards_changes_no_number() -> None:
    named = comparison_model(five(), reference="tpe", named_beforehand=False).decision
    unnamed = comparison_model(five()).decision
    assert named.standings is not None
    assert unnamed.standings is not None
    assert named.standings.against == unnamed.standings.against
    assert named.standings.why == "named when there were results"
    assert "named for it" not in headline(named)


def test_the_headline_compares_as_the_table_does() -> None:
    records = [
        *cells("tpe", [0.79, 0.80, 0.81], [0.740, 0.750, 0.760]),
        *cells("random", [0.78, 0.79, 0.80], [0.746, 0.752, 0.767]),
        *cells("stacked", [0.60, 0.60, 0.60], [0.590, 0.601, 0.609], "reference"),
    ]
    found = comparison_model(records).decision
    assert found.standings is not None
    # differences .006, .002, .007: mean .005, sd √(.000014/2), t = 3.2733 with 2 degrees of freedom
    random = found.standings.against["random"]
    assert random.difference == pytest.approx(0.005)
    assert random.p_value == pytest.approx(1 - 1 / math.sqrt(1 + 2 / 3.2732684**2), rel=1e-6)
    assert "random, the next search: tie: +.0050 (95 % -.0016 to .0116, p = .08, 3 seeds);" in headline(found)
    assert "stacked, the best hand-made: worse by .1500 (95 % -.1525 to -.1475, p < .001" in headline(found)


def test_the_headline_counts_the_calls() -> None:
    records = [
        *cells("tpe", [0.8] * 4, [0.75, 0.7512, 0.7491, 0.7506]),
        *cells("random", [0.7] * 4, [0.65, 0.6508, 0.6495, 0.6501]),
        *cells("darts", [0.6] * 4, [0.7505, 0.7501, 0.7497, 0.7502]),
        *cells("stacked", [0.7], [0.7], "reference"),
    ]
    words = headline(comparison_model(records, seeds=(0, 1, 2, 3)).decision)
    assert words.endswith("Of all 3 others: 1 tied, 1 worse, 1 not comparable.")


def test_a_verdict_needs_two_seeds() -> None:
    words = headline(comparison_model([*cells("tpe", [0.8], [0.7]), *cells("random", [0.7] * 2, [0.5, 0.6])]).decision)
    assert "random, the next search: unknown: one seed." in words
    assert "(one seed)" in words


def test_nothing_finished_is_no_verdict() -> None:
    failed = (FailedCell("tpe", 0, "no"),)
    found = comparison_model([], failures=failed).decision
    assert (found.best, found.standings) == (None, None)
    assert headline(found) == "No cell is finished, so there is no verdict. 1 cell failed."


def test_a_named_reference_without_a_finished_cell_is_replaced_and_told_of() -> None:
    failed = (FailedCell("nasrec", 0, "no"),)
    for changes in ({"failures": failed}, {"settings": {"strategies": ["tpe", "nasrec"]}}):
        found = comparison_model(five(), reference="nasrec", **changes).decision
        assert found.missing_reference == "nasrec"
        assert found.standings == comparison_model(five()).decision.standings
    with pytest.raises(UnknownNameError, match="did you mean 'stacked'"):
        comparison_model(five(), reference="stackd")


def test_over_data_sets_a_reference_counts_as_named_only_where_all_named_it_beforehand() -> None:
    def over(**changes: object) -> tuple[str, str, dict[str, float | None]]:
        found = overall_standings([comparison_model(five(), data=name, **changes) for name in ("x", "y")])
        assert found is not None
        return found.reference, found.how, {n: c.p_corrected for n, c in found.against.items()}

    scores = {n: dict.fromkeys(("x", "y"), runs) for n, runs in RUNS.items()}

    def expected(reference: str, chosen_from: list[str] | None) -> dict[str, float | None]:
        return {c.name: c.p_corrected for c in compare_over_data_sets(scores, reference, chosen_from=chosen_from)}

    searched = ["tpe", "random", "darts"]
    assert over() == ("tpe", "chosen", expected("tpe", searched))
    assert over(reference="darts") == ("darts", "beforehand", expected("darts", None))
    after = over(reference="darts", named_beforehand=False)
    assert after == ("darts", "afterwards", expected("darts", list(VALUES)))
    assert over(reference="tpe", named_beforehand=False)[2] == over()[2]
    mixed = [comparison_model(five(), data=d, reference="darts", named_beforehand=d == "x") for d in ("x", "y")]
    found = overall_standings(mixed)
    assert found is not None
    assert found.how == "afterwards"


def test_a_failed_cell_that_was_repeated_is_no_failure() -> None:
    found = comparison_model([cell("tpe", 0)], failures=(FailedCell("tpe", 0, "no"), FailedCell("tpe", 1, "no")))
    assert found.decision.failures == (FailedCell("tpe", 1, "no"),)


def three_ways() -> list[CellRecord]:
    """Three searches, each of which is the best by another measure."""
    values = {"a": (0.80, 0.50, 0.60), "b": (0.79, 0.40, 0.61), "c": (0.78, 0.45, 0.62)}
    return [
        cell(name, seed, valid_auc=auc + seed / 1000, valid_logloss=loss - seed / 1000, valid_gauc=within)
        for name, (auc, loss, within) in values.items()
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("select", "order", "words"),
    [
        ("auc", ["a", "b", "c"], "a, validation AUC 0.8005"),
        ("logloss", ["b", "c", "a"], "b, validation logloss 0.3995"),
        ("gauc", ["c", "b", "a"], "c, validation AUC within groups 0.6200"),
    ],
)
def test_validation_chooses_by_what_was_asked_for(select: str, order: list[str], words: str) -> None:
    model = comparison_model(three_ways(), seeds=(0, 1), settings={"recipe": {"select": select}})
    assert [row.summary.strategy for row in model.rows] == order
    assert words in headline(model.decision)
    assert model.decision.best is not None
    assert model.decision.best.best.seed == 1  # within groups both are equal, and its logloss is better
    assert model.columns.quality[0].title == model.chosen_by


def test_of_equal_aucs_the_better_logloss_is_first_and_records_without_groups_are_ordered_by_auc() -> None:
    equal = [cell("a", 0, valid_logloss=0.6), cell("b", 0, valid_logloss=0.5), cell("a", 1, valid_logloss=0.4)]
    found = comparison_model([*equal, cell("b", 1, valid_logloss=0.55)]).decision
    assert [s.strategy for s in found.summaries] == ["a", "b"]  # by .5 and .525
    assert found.summaries[0].best.seed == 1
    assert comparison_model(equal, settings={"recipe": {"select": "gauc"}}).decision.select == "auc"
