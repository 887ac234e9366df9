"""A sweep's trials: in turn, the same after a kill, within their passes, and by whichever process comes first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from nas_fusion.errors import StudyError
from nas_fusion.records import ChosenRecipe, TriedRecipe
from nas_fusion.settings import ComparisonSettings, DataOptions, RecipeSettings
from nas_fusion.statistics import difference_error
from nas_fusion.studies import open_storage
from nas_fusion.studies.recipe.recipe_sweep import RUNG, OutOfReach, RecipeSweep, SweepClaim, is_behind
from nas_fusion.studies.recipe.swept_values import SweptValues
from nas_fusion.studies.storage.holds import at_work

ROWS = 1000
SETTINGS = ComparisonSettings(
    "log.csv", DataOptions(), ("parallel",), recipe=RecipeSettings(choice="auto", retrain_epochs=4)
)


def storage_in(folder: Path) -> BaseStorage:
    return open_storage(f"journal:///{folder}/journal")


def sweep_in(storage: BaseStorage, allowed: float = 30.0, note: str = "") -> RecipeSweep:
    swept = SweptValues(SETTINGS, ROWS)
    return RecipeSweep(storage, "study", "parallel", swept, allowed, (5000, 5000), note)


def quality(values: Mapping[str, Any]) -> float:
    return 0.7 + 0.05 * values["batch_norm"] - abs(values["embedding_l2"] - 0.05) - abs(values["dropout"] - 0.1) / 10


def ended(claim: SweepClaim, how: str = "end") -> TriedRecipe:
    auc = None if how == "failed" else quality(claim.values)
    return TriedRecipe(dict(claim.values), auc, 2, 2 * ROWS, 1.0, how)


def run(sweep: RecipeSweep, trials: int | None = None) -> list[dict[str, Any]]:
    tried: list[dict[str, Any]] = []
    while (trials is None or len(tried) < trials) and (claim := sweep.claim()) is not None:
        tried.append(dict(claim.values))
        sweep.finish(claim, ended(claim))
    return tried


def test_the_usual_recipe_comes_first_and_the_best_is_chosen(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path))
    tried = run(sweep)
    starts = sweep.swept.starts()
    assert tuple(tried[: len(starts)]) == starts
    assert len(tried) == 15  # of two passes each, and there are thirty
    chosen = sweep.chosen()
    assert [one.values for one in chosen.tried] == tried
    assert quality(chosen.values) == max(map(quality, tried))
    assert (chosen.passes, chosen.samples, chosen.seconds) == (30.0, 30 * ROWS, 15.0)
    assert sweep.finished()


def test_it_never_takes_more_passes_than_it_may(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path), allowed=5.9)
    epochs = []
    while (claim := sweep.claim()) is not None:
        epochs.append(claim.epochs)
        sweep.finish(claim, replace(ended(claim), epochs=claim.epochs, samples=claim.epochs * ROWS))
    assert epochs == [4, 1]
    assert sweep.passes() == 5.0 < sweep.allowed


def test_the_first_of_equal_ones_is_chosen(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path), allowed=6)
    while (claim := sweep.claim()) is not None:
        sweep.finish(claim, replace(ended(claim), valid_auc=0.7))
    assert sweep.chosen().values == sweep.swept.usual()


@pytest.mark.parametrize(("gain", "is_chosen"), [(0.0010, False), (0.0025, True)])
def test_the_usual_one_stays_where_the_gain_is_within_the_noise(gain: float, is_chosen: bool, tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path), allowed=4)
    for auc in (0.7, 0.7 + gain):
        claim = sweep.claim()
        assert claim is not None
        sweep.finish(claim, replace(ended(claim), valid_auc=auc))
    chosen = sweep.chosen()
    assert chosen.margin == pytest.approx(difference_error(0.7, 5000, 5000))
    assert 0.0010 < chosen.margin < 0.0025
    assert (chosen.values == chosen.tried[1].values) is is_chosen
    assert (chosen.values == sweep.swept.usual()) is not is_chosen


def by_logloss(storage: BaseStorage, allowed: float = 4) -> RecipeSweep:
    """The same where validation chooses by logloss."""
    sweep = sweep_in(storage, allowed)
    settings = replace(SETTINGS, recipe=replace(SETTINGS.recipe, select="logloss"))
    return replace(sweep, swept=replace(sweep.swept, settings=settings))


@pytest.mark.parametrize(("logloss", "is_chosen"), [(0.4995, False), (0.4980, True)])
def test_the_better_logloss_is_chosen_by_logloss(logloss: float, is_chosen: bool, tmp_path: Path) -> None:
    """Though its AUC is the worse one; with the margin of a difference of mean losses."""
    sweep = by_logloss(storage_in(tmp_path))
    for auc, loss, error in ((0.7, 0.5, 0.003), (0.6, logloss, None)):
        claim = sweep.claim()
        assert claim is not None
        assert claim.select == "logloss"
        sweep.finish(claim, replace(ended(claim), valid_auc=auc, score=-loss, score_error=error))
    chosen = sweep.chosen()
    assert chosen.margin == pytest.approx((2 * 0.05) ** 0.5 * 0.003)
    assert (chosen.values == chosen.tried[1].values) is is_chosen
    assert [trial.value for trial in sweep.study.trials] == [-0.5, -logloss]
    assert ChosenRecipe.from_dict(asdict(chosen)) == chosen


def test_a_sweep_that_began_by_the_auc_goes_on_by_it(tmp_path: Path) -> None:
    run(sweep_in(storage_in(tmp_path), allowed=4), 1)
    claim = by_logloss(storage_in(tmp_path)).claim()
    assert claim is not None
    assert claim.select == "auc"


def test_a_training_of_small_losses_can_be_behind() -> None:
    assert is_behind([-0.5, -0.5, -0.5, -0.5], -0.4, 20)
    assert not is_behind([-0.5, -0.5, -0.48, -0.47], -0.4, 20)


def test_another_process_waits_while_one_trains(tmp_path: Path) -> None:
    first, second = sweep_in(storage_in(tmp_path)), sweep_in(storage_in(tmp_path))
    claim = first.claim()
    assert claim is not None
    with first.holding(claim):
        assert second.claim() is None
        assert not second.finished()
        first.finish(claim, ended(claim))
    after = second.claim()
    assert after is not None
    assert after.slot == 1


def test_of_two_that_come_at_once_the_first_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sweep_in(storage_in(tmp_path)), sweep_in(storage_in(tmp_path))
    ask = second.study.ask
    claims: list[SweepClaim | None] = []

    def late(*arguments: Any, **named: Any) -> Any:
        claims.append(first.claim())
        return ask(*arguments, **named)

    monkeypatch.setattr(second.study, "ask", late)
    assert second.claim() is None
    assert claims[0] is not None
    assert claims[0].slot == 0
    first.finish(claims[0], ended(claims[0]))
    assert len(first.chosen().tried) == 1


def test_a_sweep_that_was_killed_chooses_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    undisturbed = sweep_in(storage_in(tmp_path / "a"))
    run(undisturbed)
    storage = storage_in(tmp_path)
    killed = sweep_in(storage)
    run(killed, 9)
    with at_work():
        claim = killed.claim()
    assert claim is not None  # it trains, and is gone
    later = sweep_in(storage_in(tmp_path))
    rest = run(later)
    assert rest[0] == dict(claim.values)
    assert later.chosen() == undisturbed.chosen()


def test_one_that_cannot_be_trained_does_not_count_and_keeps_its_place(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path), allowed=8)
    claim = sweep.claim()
    assert claim is not None
    sweep.finish(claim, ended(claim, "failed"), "the loss is nan")
    after = sweep.claim()
    assert after is not None
    assert after.slot == 1
    sweep.finish(after, ended(after))
    chosen = sweep.chosen()
    assert chosen.values == after.values
    assert [one.ended for one in chosen.tried] == ["failed", "end"]
    (failed,) = sweep.study.get_trials(states=(TrialState.FAIL,))
    assert failed.user_attrs["error"] == "the loss is nan"


def test_where_nothing_can_be_trained_the_usual_recipe_is_taken(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path), allowed=4)
    while (claim := sweep.claim()) is not None:
        sweep.finish(claim, ended(claim, "failed"))
    assert sweep.chosen().values == sweep.swept.usual()
    assert "could be trained" in sweep.chosen().note


def test_with_a_note_nothing_is_tried(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path), note="too few passes")
    assert sweep.finished()
    assert sweep.claim() is None
    assert (sweep.chosen().values, sweep.chosen().note) == (sweep.swept.usual(), "too few passes")


def test_what_was_chosen_before_is_kept_where_the_storage_is_new(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old = sweep_in(storage_in(tmp_path / "old"))
    run(old, 3)
    known = old.chosen()
    new = sweep_in(storage_in(tmp_path))
    new.publish(known)
    worker = sweep_in(storage_in(tmp_path))
    assert worker.finished()
    assert worker.chosen() == known


def test_a_changed_trial_is_noticed(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path))
    run(sweep, 2)
    journal = tmp_path / "journal"
    text = journal.read_text()
    journal.write_text(text.replace('"samples":2000', '"samples":1000', 1))
    assert journal.read_text() != text
    with pytest.raises(StudyError, match="was changed since it ended"):
        sweep_in(storage_in(tmp_path)).chosen()


@pytest.mark.parametrize(
    ("aucs", "behind"),
    [
        ([0.5, 0.6], False),  # too early
        ([0.60, 0.62, 0.64, 0.66], False),  # .02 an epoch: .70 is two epochs away
        ([0.64, 0.65, 0.65, 0.65], True),  # it stands still
        ([0.60, 0.62, 0.64], False),  # no rung
        ([0.70, 0.71, 0.69, 0.69], False),  # it was the best
    ],
)
def test_a_training_is_behind_where_it_will_not_arrive(aucs: list[float], behind: bool) -> None:
    assert is_behind(aucs, 0.70, 20) is behind
    assert RUNG == 2


def test_no_training_is_stopped_at_its_end() -> None:
    assert not is_behind([0.5, 0.5, 0.5, 0.5], 0.7, 4)


def test_the_pruner_goes_by_the_best_that_has_ended(tmp_path: Path) -> None:
    sweep = sweep_in(storage_in(tmp_path))
    run(sweep, 1)
    claim = sweep.claim()
    assert claim is not None
    sweep.study.pruner = OutOfReach(20)
    for epoch, auc in enumerate([0.50, 0.51, 0.51, 0.51], start=1):
        claim.trial.report(auc, epoch)
        assert claim.trial.should_prune() is (epoch == 4)
