"""The rest of the time: what is tuned, on which folds, until when, and that it goes on; trainings are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.errors import TrainingError
from nas_fusion.settings import ComparisonSettings, DataOptions, ModelSettings, RecipeSettings
from nas_fusion.studies.picking.contest import Family
from nas_fusion.studies.picking.tuning_wave import TuningWave
from nas_fusion.studies.queue.tuning_trials import TuningClaim
from nas_fusion.studies.queue.workplace import Workplace, coordinating
from nas_fusion.studies.setup.assembly import assemble
from nas_fusion.studies.setup.study_folder import StudyFolder
from nas_fusion.system.deadline import Deadline, TimeIsUp
from nas_fusion.training.quality import Rank
from tests.report.report_fakes import cell

ASKED = ComparisonSettings(
    source="synthetic:2000",
    data=DataOptions(),
    strategies=("parallel", "logistic-regression"),
    seeds=(0,),
    model=ModelSettings(levels=1, emb_dim=4),
    recipe=RecipeSettings(choice="auto"),
    device="cpu",
)
PACE = 2.0
FIRST = {"parallel": 0.70, "logistic-regression": 0.698}

Quality = Callable[[str, Mapping[str, Any], int], float]


class Clock:
    """Stands still until a training moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def place(dataset: EncodedDataset, tmp_path: Path) -> Iterator[Workplace]:
    chosen = replace(ASKED, recipe=RecipeSettings(choice="defaults"))
    with coordinating(assemble(chosen, dataset), StudyFolder(tmp_path / "study"), None) as found:
        yield found


def wave_in(
    place: Workplace, quality: Quality, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> tuple[TuningWave, list[tuple[str, int, int]], list[str]]:
    """A wave whose trainings take `PACE` seconds and have a score by `quality`: it, what it trains, what it says."""
    clock, trained, said = Clock(), list[tuple[str, int, int]](), list[str]()

    def train(self: TuningWave, family: Family, claim: TuningClaim, fold: int) -> Any:
        if self.deadline.left < PACE:
            raise TimeIsUp
        clock.now += PACE
        trained.append((family.name, claim.slot, fold))
        score = quality(family.name, claim.values if claim.slot else {}, fold)
        fit = SimpleNamespace(best_rank=Rank(score, 0.0), best_valid_auc=score)
        return SimpleNamespace(slot=claim.slot, retrained=SimpleNamespace(fit=fit))

    monkeypatch.setattr(TuningWave, "_train", train)
    records = [cell(name, 0, "reference", valid_auc=auc, retrain_seconds=PACE) for name, auc in FIRST.items()]
    return (
        TuningWave(place, ASKED, records, lambda r: Rank(r.valid_auc, 0.0), Deadline(seconds, clock), said.append),
        trained,
        said,
    )


def steady(name: str, values: Mapping[str, Any], fold: int) -> float:
    """As the first, and better with one value of the dropout."""
    return FIRST[name] + (0.05 if values.get("dropout") == 0.3 else 0.0)


def test_defaults_are_judged_by_folds_and_then_other_values_are_tried(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave, trained, said = wave_in(place, steady, 110.0, monkeypatch)
    wave.run()
    assert wave.contest.count == 5
    assert trained[:4] == [("parallel", 0, fold) for fold in (1, 2, 3, 4)]  # its own fold was a cell's
    assert trained[4:8] == [("logistic-regression", 0, fold) for fold in (1, 2, 3, 4)]
    first = wave.standings()[0]
    assert first.family.name == "parallel"
    assert first.trial is not None
    assert first.trial.values["dropout"] == 0.3
    assert len(first.scores) == 5
    assert "parallel" in wave.kept
    assert wave.kept["parallel"].slot == first.trial.slot
    assert "tuning of what may still win, parallel, logistic-regression first" in said[0]
    assert any(line.startswith("parallel, trial ") for line in said)


def test_it_ends_before_the_deadline_and_begins_nothing_that_cannot_end(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave, trained, _ = wave_in(place, steady, 61.0, monkeypatch)
    wave.run()  # no TimeIsUp: what was begun has ended
    assert wave.deadline.left >= 0
    assert len(trained) * PACE <= 61.0
    assert wave.deadline.left < 5 * PACE


def test_trials_that_are_behind_are_given_up(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def worse(name: str, values: Mapping[str, Any], fold: int) -> float:
        return FIRST[name] - 0.2 * bool(values)

    wave, trained, _ = wave_in(place, worse, 36.0, monkeypatch)
    wave.run()
    assert {fold for _, slot, fold in trained if slot} == {0}
    assert wave.standings()[0].trial is None
    told = {one.strategy: one for one in wave.told()}
    assert told["parallel"].behind == told["parallel"].trials - 1 > 0
    assert not told["parallel"].is_better
    assert told["parallel"].defaults == pytest.approx(0.70)


def test_it_goes_on_where_it_was(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    wave, trained, _ = wave_in(place, steady, 100.0, monkeypatch)
    wave.run()
    before = {(one.strategy, one.trials) for one in wave.told()}
    again, more, _ = wave_in(place, steady, 60.0, monkeypatch)
    assert {(one.strategy, one.trials) for one in again.told()} == before
    again.run()
    assert more
    assert not {(name, slot) for name, slot, _ in more} & {(name, slot) for name, slot, _ in trained}
    assert again.standings()[0].scores == wave.standings()[0].scores


def test_a_trial_in_whose_middle_the_time_is_up_does_not_count(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slower(name: str, values: Mapping[str, Any], fold: int) -> float:
        if values:
            raise TimeIsUp
        return FIRST[name]

    wave, _, _ = wave_in(place, slower, 100.0, monkeypatch)
    with pytest.raises(TimeIsUp):
        wave.run()
    assert all(one.trials == 1 for one in wave.told())


def test_a_failed_trial_is_none(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str, values: Mapping[str, Any], fold: int) -> float:
        if values:
            raise TrainingError("the loss is not finite")
        return FIRST[name]

    wave, _, _ = wave_in(place, fails, 60.0, monkeypatch)
    family = wave.contest.families["parallel"]
    for _ in range(3):
        wave._run_next(family)
    assert [trial.ended for trial in family.trials] == ["complete", "failed", "failed"]
    assert wave._tunings("parallel").ended()[1].state == TrialState.FAIL


def test_folds_that_are_easier_than_the_logs_own_do_not_choose(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def easier(name: str, values: Mapping[str, Any], fold: int) -> float:
        return FIRST[name] + 0.25 * bool(fold)

    wave, trained, said = wave_in(place, easier, 36.0, monkeypatch)
    wave.run()
    assert not wave.trusts_folds
    assert any("unlike other rows" in line for line in said)
    assert {fold for _, slot, fold in trained if slot} == {0}
    assert len(wave.standings()[0].scores) == 1


def test_what_the_user_has_fixed_is_not_tuned(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = replace(ASKED, recipe=RecipeSettings(choice="auto", kept=("model.dropout",)))
    wave, _, _ = wave_in(place, steady, 10.0, monkeypatch)
    assert {"dropout", "learning_rate", "embedding_l2"} <= set(wave._tunings("parallel").distributions)
    wave.asked = fixed
    wave._made.clear()
    assert "dropout" not in wave._tunings("parallel").distributions
    assert "learning_rate" in wave._tunings("parallel").distributions
    wave.asked = replace(ASKED, recipe=RecipeSettings(choice="defaults"))
    wave._made.clear()
    assert not wave._tunings("parallel").distributions
