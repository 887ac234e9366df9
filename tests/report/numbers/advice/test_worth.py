"""A search against what hand-made models would have given in its seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas_fusion.records import CellRecord
from nas_fusion.report.numbers.advice.worth import INSTEAD, worth, worth_table, worth_words
from nas_fusion.report.numbers.summaries import by_strategy
from nas_fusion.statistics import compare_each, compare_with_reference, holm
from tests.report.report_fakes import cell, comparison_model

SEEDS = (0, 1, 2)


def timed(strategy: str, seed: int, kind: str, seconds: float, valid: float, test: float) -> CellRecord:
    made = cell(strategy, seed, kind, valid_auc=valid, test_auc=test)
    return replace(made, search_seconds=0.0, derive_seconds=0.0, tuning_seconds=0.0, retrain_seconds=seconds)


def references(seed: int) -> list[CellRecord]:
    """Of one, two and four seconds; the dearer, the better on validation rows."""
    return [
        timed("fnn", seed, "reference", 2.0, 0.72, 0.71 + seed / 1000),
        timed("stacked", seed, "reference", 1.0, 0.70, 0.73),
        timed("dcn", seed, "reference", 4.0, 0.74, 0.75),
    ]


def search(seed: int, seconds: float, test: float) -> CellRecord:
    made = timed("random", seed, "multi-trial", seconds / 4, 0.76, test)
    return replace(made, search_seconds=seconds / 4, derive_seconds=seconds / 4, tuning_seconds=seconds / 4)


@pytest.mark.parametrize(
    ("seconds", "models", "instead"), [(0.5, 1, "stacked"), (2.9, 1, "stacked"), (3.0, 2, "fnn"), (99, 3, "dcn")]
)
def test_what_fits_into_the_seconds_is_what_it_has_to_beat(seconds: float, models: int, instead: str) -> None:
    """The quickest first; what is best on validation of those, not on test; one model there is in any case."""
    records = [*references(0), search(0, seconds, 0.8)]
    (found,) = worth(by_strategy(records), "auc")
    assert (found.strategy, found.models, found.best) == ("random", models, (instead,))
    assert found.seconds == pytest.approx(seconds)
    test_auc = next(record.test_auc for record in records if record.strategy == instead)
    assert found.comparison.difference == pytest.approx(0.8 - test_auc)
    assert found.comparison.verdict == "unknown", "one seed"


def test_seeds_are_paired_and_all_searches_are_corrected_for() -> None:
    tests = {"random": (0.781, 0.783, 0.782), "tpe": (0.70, 0.76, 0.68)}
    records = [record for seed in SEEDS for record in references(seed)]
    for name, values in tests.items():
        records += [replace(search(seed, 3.5, value), strategy=name) for seed, value in zip(SEEDS, values, strict=True)]
    found = {one.strategy: one for one in worth(by_strategy(records), "auc")}
    instead = {seed: 0.71 + seed / 1000 for seed in SEEDS}
    raw = []
    for name, values in tests.items():
        scores = {name: dict(zip(SEEDS, values, strict=True)), INSTEAD: instead}
        (alone,) = compare_with_reference(scores, INSTEAD)
        assert found[name].comparison.difference == pytest.approx(alone.difference)
        assert found[name].comparison.interval == alone.interval
        raw.append(alone.p_value or 0.0)
    assert [found[name].comparison.p_corrected for name in tests] == holm(raw)
    assert [found[name].comparison.verdict for name in tests] == ["better", "tie"]
    assert worth_words(list(found.values())) == (
        "Each search against the best hand-made model in the same time (chosen on validation rows): random: worth "
        "their seconds, being better than it; tpe: not to be told from it."
    )
    assert [row[0] for row in worth_table(list(found.values())).rows] == ["random", "tpe"]


def test_what_validation_chooses_by_chooses_here() -> None:
    records = [*references(0), search(0, 99.0, 0.8)]
    records[1] = replace(records[1], valid_logloss=0.1)
    assert worth(by_strategy(records), "logloss")[0].best == ("stacked",)
    assert worth(by_strategy(records), "auc")[0].best == ("dcn",)


def test_without_searches_or_references_nothing_is_said() -> None:
    assert worth(by_strategy(references(0)), "auc") == []
    assert worth(by_strategy([search(0, 1.0, 0.7)]), "auc") == []
    assert worth_words([]) == ""


def test_a_seed_without_references_does_not_count() -> None:
    records = [*references(0), search(0, 3.0, 0.8), search(1, 3.0, 0.9)]
    (found,) = worth(by_strategy(records), "auc")
    assert found.comparison.pairs == 1
    assert found.best == ("fnn",)


def test_the_report_has_it() -> None:
    model = comparison_model()
    assert {one.strategy for one in model.worth} == {r.strategy for r in model.records if r.kind != "reference"}
    assert compare_each({}, INSTEAD) == []
