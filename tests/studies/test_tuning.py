"""Tuning: the defaults first, the same proposals after a kill, pruning, and tuned cells in a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import (
    ComparisonSettings,
    Hyperparameters,
    ModelSettings,
    RecipeSettings,
    StudyFolder,
    compare,
    open_storage,
    tune,
    work_on,
)  # fmt: skip
from nas_fusion.studies.queue.tuning_log import TuningLog
from nas_fusion.studies.queue.tuning_trials import STARTUP_TRIALS, Tuning
from nas_fusion.studies.setup.announcements import TUNING, find_announced
from nas_fusion.studies.storage.leases import give_back
from nas_fusion.training import EpochRecord
from nas_fusion.training_log import SilentLog, StoppedEarly

pytestmark = pytest.mark.slow

SETTINGS = ComparisonSettings(
    source="synthetic:2000",
    data=DataOptions(),
    strategies=("optfusion-hard",),
    seeds=(0,),
    budget="1x",
    candidates=2,
    tune=3,
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=2),
    device="cpu",
)
WHERE = {"x": FloatDistribution(0.0, 1.0)}
DEFAULTS = {"x": 0.5}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> EncodedDataset:
    return prepare("synthetic:2000", cache=tmp_path_factory.mktemp("cache"))


def tuning(tmp_path: Path, trials: int = 12, name: str = "storage") -> Tuning:
    return Tuning(open_storage(f"sqlite:///{tmp_path}/{name}"), "study", "mine", WHERE, DEFAULTS, trials, 0, 1)


def value_of(values: Mapping[str, Any]) -> float:
    return 1 - abs(values["x"] - 0.3)


def run(found: Tuning, trials: int | None = None) -> list[float]:
    tried: list[float] = []
    while (trials is None or len(tried) < trials) and (claim := found.claim()) is not None:
        tried.append(claim.values["x"])
        found.finish(claim, value_of(claim.values), {})
    return tried


def test_the_defaults_are_tried_first_and_the_best_is_kept(tmp_path: Path) -> None:
    found = tuning(tmp_path)
    tried = run(found)
    assert tried[0] == DEFAULTS["x"]
    assert len(tried) == len(set(tried)) == 12
    result = found.result()
    assert result is not None
    assert found.finished()
    assert result.valid_auc == max(value_of({"x": x}) for x in tried)
    assert result.default_valid_auc == value_of(DEFAULTS)
    assert (result.trials, result.pruned, result.failed) == (12, 0, 0)


def test_a_killed_tuning_proposes_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    undisturbed = run(tuning(tmp_path, name="undisturbed"))
    killed = run(tuning(tmp_path), trials=8)
    found = tuning(tmp_path)
    lost = found.claim()
    assert lost is not None
    give_back(found.storage, lost.trial_id)  # what a watcher does about a process that is gone
    assert killed + run(tuning(tmp_path)) == undisturbed
    assert lost.values["x"] == undisturbed[8]


def test_more_trials_go_on_where_fewer_ended(tmp_path: Path) -> None:
    whole = run(tuning(tmp_path, 12, "whole"))
    assert run(tuning(tmp_path, 7)) + run(tuning(tmp_path, 12)) == whole


def test_a_failed_trial_keeps_its_slot(tmp_path: Path) -> None:
    found = tuning(tmp_path, trials=3)
    claim = found.claim()
    assert claim is not None
    found.fail(claim, "the loss is nan")
    assert len(run(found)) == 2
    result = found.result()
    assert result is not None
    assert (result.trials, result.failed, result.default_valid_auc) == (3, 1, None)


def test_processes_that_start_together_get_different_slots(tmp_path: Path) -> None:
    a, b = tuning(tmp_path, trials=2), tuning(tmp_path, trials=2)
    first, second = a.claim(), b.claim()
    assert first is not None
    assert second is not None
    assert {first.slot, second.slot} == {0, 1}
    assert a.claim() is None
    assert b.claim() is None
    assert not a.finished()


def test_what_falls_behind_is_stopped_at_like_stages(tmp_path: Path) -> None:
    found = tuning(tmp_path, trials=20)
    for _ in range(STARTUP_TRIALS):
        claim = found.claim()
        assert claim is not None
        log = TuningLog(claim, found.search_steps, SilentLog())
        train(log, [0.6], [0.7, 0.8, 0.9])
        found.finish(claim, 0.9, {})
    claim = found.claim()
    assert claim is not None
    log = TuningLog(claim, found.search_steps, SilentLog())
    with pytest.raises(StoppedEarly, match="epoch 2 of the re-training"):  # searches and first epochs say little
        train(log, [0.51], [0.6, 0.7])
    found.prune(claim, {})
    assert found.study.trials[-1].state == TrialState.PRUNED
    assert found.counts() == (STARTUP_TRIALS + 1, 1, 0)


def train(log: TuningLog, search: list[float], retraining: list[float]) -> None:
    with log.training("search") as training:
        for auc in search:
            training.validated(auc)
    with log.training("re-train") as training:
        for auc in retraining:
            training.validated(auc)


def test_candidates_are_compared_by_their_best_so_far(tmp_path: Path) -> None:
    found = replace(tuning(tmp_path), search_steps=3)
    claim = found.claim()
    assert claim is not None
    log = TuningLog(claim, 3, SilentLog())
    for auc in (0.6, None, 0.7):
        with log.training("candidate") as training:
            training.validated(0.99)
            training.result(auc)
    train(log, [], [0.8])
    assert found.study.trials[-1].intermediate_values == {1: 0.6, 2: 0.6, 3: 0.7, 4: 0.8}


def epoch(number: int, auc: float, logloss: float, gauc: float | None = None) -> EpochRecord:
    return EpochRecord(number, 100 * number, 1.0, auc, logloss, 0.5, gauc)


@pytest.mark.parametrize(("select", "reported"), [("logloss", {4: -0.6, 5: -0.5}), ("gauc", {4: 0.55, 5: 0.65})])
def test_trials_are_compared_by_what_validation_chooses_by(
    tmp_path: Path, select: str, reported: dict[int, float]
) -> None:
    """A search tells of AUCs only, which must not stand beside other numbers."""
    found = replace(tuning(tmp_path), search_steps=3, select=select)
    claim = found.claim()
    assert claim is not None
    log = TuningLog(claim, 3, SilentLog(), found.select)
    train(log, [0.9], [0.8, 0.9])
    with log.training("candidate") as training:
        training.result(0.95)
    log.retrained(epoch(1, 0.8, 0.6, 0.55))
    log.retrained(epoch(2, 0.9, 0.5, 0.65))
    assert found.study.trials[-1].intermediate_values == reported


def test_by_the_auc_the_records_of_a_retraining_are_not_told_twice(tmp_path: Path) -> None:
    found = tuning(tmp_path)
    claim = found.claim()
    assert claim is not None
    log = TuningLog(claim, 1, SilentLog())
    train(log, [], [0.8])
    log.retrained(epoch(1, 0.3, 0.6))
    assert found.study.trials[-1].intermediate_values == {2: 0.8}


def test_the_best_trial_is_that_of_the_best_score(tmp_path: Path) -> None:
    """The better logloss wins over the better AUC; the result tells the AUC."""
    found = replace(tuning(tmp_path, trials=3), select="logloss")
    for auc, logloss in ((0.8, 0.5), (0.9, 0.6), (0.7, 0.4)):
        claim = found.claim()
        assert claim is not None
        found.finish(claim, auc, {}, -logloss)
    result = found.result()
    assert result is not None
    assert (result.valid_auc, result.default_valid_auc) == (0.7, 0.8)
    assert found.study.best_value == -0.4
    again = replace(tuning(tmp_path, trials=3), select="logloss")
    assert (again.select, again.result()) == ("logloss", result)


def test_an_auc_that_did_not_decide_is_sealed_too(tmp_path: Path) -> None:
    found = replace(tuning(tmp_path, trials=1), select="logloss")
    claim = found.claim()
    assert claim is not None
    found.finish(claim, 0.8, {}, -0.5)
    trial = found.study.trials[0]
    with pytest.raises(StudyError, match="was changed since it ended"):
        found._check(_with_auc(trial, 0.99))


def _with_auc(trial: FrozenTrial, auc: float) -> FrozenTrial:
    trial.user_attrs = {**trial.user_attrs, "valid_auc": auc}
    return trial


def test_a_tuning_that_began_by_the_auc_goes_on_by_it(tmp_path: Path) -> None:
    """As those did that ``--select`` did not reach yet: values of one study have to be of one kind."""
    begun = tuning(tmp_path)
    run(begun, 2)
    again = replace(tuning(tmp_path), select="logloss")
    assert again.select == "auc"
    new = replace(tuning(tmp_path, name="other"), select="logloss")
    assert new.select == "logloss"
    assert replace(new, select="auc").select == "logloss", "another process knows it from the storage"


def test_a_tuning_follows_the_selection(dataset: EncodedDataset, tmp_path: Path) -> None:
    """A real one, whose values are the re-trainings' loglosses."""
    settings = replace(SETTINGS, strategies=("logistic-regression",), tune=2)
    settings = replace(settings, recipe=replace(SETTINGS.recipe, select="logloss"))
    result = tune(settings, dataset, tmp_path / "study")
    storage = open_storage(StudyFolder(tmp_path / "study").storage_url)
    (name,) = (s.study_name for s in optuna.get_all_study_summaries(storage) if "tuning" in s.study_name)
    study = optuna.load_study(study_name=name, storage=storage)
    values = [trial.value for trial in study.trials]
    assert all(value is not None and -1 < value < -0.1 for value in values), values
    assert result.valid_auc == max(study.trials, key=lambda t: t.value or 0).user_attrs["valid_auc"] > 0.5


@pytest.mark.parametrize("name", [name for name, _ in STRATEGIES])
def test_defaults_lie_inside_what_tuning_may_try(name: str) -> None:
    h = Hyperparameters(SETTINGS, STRATEGIES.get(name))
    for hyperparameter, where in h.distributions().items():
        internal = where.to_internal_repr(h.defaults()[hyperparameter])
        assert where._contains(internal), hyperparameter


def test_tuning_reaches_what_presets_use() -> None:
    where = Hyperparameters(SETTINGS, STRATEGIES.get("optfusion-hard"), 30_000).distributions()
    assert where["embedding_l2"] == CategoricalDistribution((0.0, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 1.0))
    assert where["batch_norm"] == CategoricalDistribution((False, True))
    assert where["batch_size"] == CategoricalDistribution((256, 512, 1024))


def test_a_tuning_goes_on_over_the_ranges_with_which_it_began(tmp_path: Path) -> None:
    begun = tuning(tmp_path)
    run(begun, 2)
    wider = {"x": FloatDistribution(0.0, 2.0), "new": FloatDistribution(0.0, 1.0)}
    again = Tuning(begun.storage, "study", "mine", wider, {**DEFAULTS, "new": 0.5}, 12, 0, 1)
    assert (again.distributions, again.defaults) == (WHERE, DEFAULTS)
    assert all(set(t.params) == {"x"} for t in again.study.trials)


def test_tuned_values_reach_recipe_model_and_strategy() -> None:
    h = Hyperparameters(SETTINGS, STRATEGIES.get("optfusion-hard"))
    settings, parameters = h.apply({"learning_rate": 0.02, "dropout": 0.3, "emb_dim": 4, "gate_start": 0.1})
    assert settings.recipe == replace(SETTINGS.recipe, learning_rate=0.02)
    assert settings.model == replace(SETTINGS.model, dropout=0.3, emb_dim=4)
    assert parameters == {"gate_start": 0.1}
    assert h.apply({}) == (SETTINGS, {})
    with pytest.raises(OptionError, match="nonsense"):
        h.apply({"nonsense": 1})


def test_a_plugins_distributions_are_checked() -> None:
    entry = replace(
        STRATEGIES.get("random"), distributions=lambda: {"learning_rate": FloatDistribution(0, 1)}
    )  # fmt: skip
    with pytest.raises(OptionError, match=r"distributions of random.*learning_rate"):
        Hyperparameters(SETTINGS, entry)


def test_tune_is_the_same_again_and_goes_on(dataset: EncodedDataset, tmp_path: Path) -> None:
    outcomes: list[str] = []
    first = tune(SETTINGS, dataset, tmp_path / "a", listener=lambda s, done, total, words: outcomes.append(words))
    assert len(outcomes) == 3
    assert json.loads((tmp_path / "a" / "tuned.json").read_text())["valid_auc"] == first.valid_auc
    again = tune(SETTINGS, dataset, tmp_path / "a", listener=lambda s, done, total, words: outcomes.append(words))
    assert len(outcomes) == 3, "nothing was left to do"
    assert again == first
    other = tune(SETTINGS, dataset, tmp_path / "b")
    assert (other.values, other.valid_auc, other.samples) == (first.values, first.valid_auc, first.samples)


def test_a_worker_does_the_trials_of_a_tuning(dataset: EncodedDataset, tmp_path: Path) -> None:
    expected = tune(SETTINGS, dataset, tmp_path / "a")
    url = f"journal://{tmp_path}/journal"
    done: list[str] = []
    tune(replace(SETTINGS, tune=1), dataset, tmp_path / "b" / "study", storage=url)
    # The coordinator's next command asks for more; here the worker is first.
    study = find_announced(open_storage(url), "study")
    assert study.purpose == TUNING
    study = replace(study, settings=SETTINGS)
    work_on(
        study, open_storage(url), dataset, tmp_path / "w", tuning_listener=lambda s, d, total, words: done.append(words)
    )
    assert len(done) == 2
    with pytest.raises(StudyError, match="data differ"):
        work_on(replace(study, fingerprint="x"), open_storage(url), dataset, tmp_path / "w")
    tunings = tuning_of(url)
    assert tunings.valid_auc == expected.valid_auc


def tuning_of(url: str) -> Any:
    h = Hyperparameters(SETTINGS, STRATEGIES.get("optfusion-hard"))
    found = Tuning(open_storage(url), "study", "optfusion-hard", h.distributions(), h.defaults(), 3, 0, 1).result()
    assert found is not None
    return found


def test_a_comparison_tunes_every_strategy_alike(dataset: EncodedDataset, tmp_path: Path) -> None:
    settings = replace(SETTINGS, strategies=("random", "optfusion-soft", "parallel"), tune=2)
    result = compare(settings, dataset, tmp_path / "study")
    for record in result.records:
        tuned = record.details["tuning"]
        assert tuned["trials"] == 2
        assert (record.tuning_samples, record.tuning_seconds) == (tuned["samples"], tuned["seconds"])
        assert record.tuning_samples > 0
        h = Hyperparameters(settings, STRATEGIES.get(record.strategy), len(dataset.train))
        assert set(tuned["values"]) == set(h.distributions())
        # The same seed, data and values: the cell is the best trial once more.
        assert record.valid_auc == tuned["valid_auc"]
    for name in settings.strategies:
        study = StudyFolder(tmp_path / "study")
        known = open_storage(study.storage_url).get_all_studies()
        assert f"study / tuning of {name}" in {s.study_name for s in known}


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"strategies": ("random", "darts")}, "strategy.*one strategy"), ({"tune": 0}, "trials.*positive")],
)
def test_a_tuning_without_sense_is_refused(
    dataset: EncodedDataset, tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(OptionError, match=match):
        tune(replace(SETTINGS, **changes), dataset, tmp_path / "study")
    assert not (tmp_path / "study").exists()
