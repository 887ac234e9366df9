"""What every strategy has to keep, as tests to inherit."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import CategoricalDistribution

from nas_fusion.architecture import Found, found_from_json
from nas_fusion.data import BatchLoader, SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.search import (
    Retrained,
    SearchOutcome,
    SearchTask,
    build_context,
    load_search,
    model_to_train,
    new_model,
    retrain,
    run_search,
    save_search,
)
from nas_fusion.strategy import StrategyEntry
from nas_fusion.strategy.abilities import check_abilities
from nas_fusion.testing.fresh_process import designs_in_fresh_process
from nas_fusion.testing.repeated_search import Repeated, repeat_search
from nas_fusion.testing.saved_again import opened_again
from nas_fusion.testing.small_task import BATCH_SIZE, resolve_entry, tiny_data, tiny_task
from nas_fusion.training import predict_logits, seeded

SEED = 3


class StrategyContract:
    """Inherit it in a test class, and set `strategy_name`.

    Lifecycle: pytest makes the fixtures below once per class, in this order: `data` (a small log without its test
    rows), `entry` (looked up by `strategy_name`), `task` (budget, space and seed), `outcome` (one search), `repeated`
    (the same search again, watched), `kept` (the outcome, written and read), `retrained` (an epoch). A third search
    runs in a fresh process (`fresh_design`). Override a fixture to run the contract on something else, and
    `fresh_design` with it.

    Attributes:
        strategy_name: a registered name, or the place of an entry, ``package.module:ENTRY``.
    """

    strategy_name: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> SearchData:
        """What the strategy gets to see."""
        return tiny_data(tmp_path_factory.mktemp("nas-fusion"))

    @pytest.fixture(scope="class")
    @classmethod
    def entry(cls) -> StrategyEntry:
        """The entry under test."""
        return resolve_entry(cls.strategy_name)

    @pytest.fixture(scope="class")
    @classmethod
    def task(cls, data: SearchData) -> SearchTask:
        """The search."""
        return tiny_task(data, seed=SEED)

    @pytest.fixture(scope="class")
    @classmethod
    def outcome(cls, entry: StrategyEntry, task: SearchTask) -> SearchOutcome:
        """What the search found."""
        return run_search(entry, task)

    @pytest.fixture(scope="class")
    @classmethod
    def fresh_design(cls) -> Found:
        """What the same search finds in a fresh process."""
        name = cls.strategy_name
        return designs_in_fresh_process([name], seed=SEED)[name]

    @pytest.fixture(scope="class")
    @classmethod
    def repeated(cls, entry: StrategyEntry, task: SearchTask) -> Repeated:
        """The same search once more."""
        return repeat_search(entry, task)

    @pytest.fixture(scope="class")
    @classmethod
    def kept(cls, outcome: SearchOutcome, tmp_path_factory: pytest.TempPathFactory) -> SearchOutcome:
        """What the search found, after a trip through a folder."""
        folder = tmp_path_factory.mktemp("searches") / "kept"
        save_search(folder, outcome)
        kept = load_search(folder)
        assert kept is not None, "it was just written"
        return kept

    @pytest.fixture(scope="class")
    @classmethod
    def retrained(cls, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome) -> Retrained:
        """The found design, trained for an epoch, hard or soft as the entry says."""
        return retrain(entry, outcome, task, replace(task.config, max_epochs=1))

    # Reproducible ----------------------------------------------------------------------------------------------

    def test_same_seed_gives_the_same_search(self, outcome: SearchOutcome, repeated: Repeated) -> None:
        """Whatever ran before in this process, and whatever state it left."""
        again = repeated.outcome
        assert again.design == outcome.design
        assert again.valid_auc == outcome.valid_auc
        assert [(p.samples, p.valid_auc) for p in again.trace] == [(p.samples, p.valid_auc) for p in outcome.trace]

    def test_a_fresh_process_finds_the_same_design(self, fresh_design: Found, outcome: SearchOutcome) -> None:
        """No order of a set, hash seed or global state may decide."""
        assert fresh_design == outcome.design

    def test_global_random_state_is_left_alone(self, repeated: Repeated) -> None:
        """Users' own random numbers do not depend on a search that ran in between."""
        assert not repeated.random_state_changed

    # A design of the space -------------------------------------------------------------------------------------

    def test_design_is_legal_and_of_the_space(
        self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome
    ) -> None:
        """The design can be trained, and can be written and read."""
        if isinstance(outcome.design, FusionDesign):
            assert task.make_space().designs.problem(outcome.design) is None
        elif entry.fit_model is None:
            batch = next(iter(BatchLoader(task.data.valid, 8)))
            model = new_model(entry, outcome.design, task.make_space())
            assert model(batch.ids, batch.values).shape == (8,)
        assert found_from_json(outcome.design.to_json()) == outcome.design

    def test_abilities_are_whole(self, entry: StrategyEntry, task: SearchTask) -> None:
        """A part of a protocol of `nas_fusion.strategy.abilities` is a misspelt name, or a forgotten one."""
        if entry.kind == "one-shot" and not entry.has_own_space:
            check_abilities(entry.build(build_context(task), **entry.parameters), entry.name)

    # Re-training -----------------------------------------------------------------------------------------------

    def test_retrains_to_finite_figures(self, task: SearchTask, retrained: Retrained) -> None:
        """Hard or soft, as the entry says; a comparison ends with it."""
        assert 0 <= retrained.fit.best_valid_auc <= 1
        assert math.isfinite(retrained.fit.best_valid_logloss)
        assert retrained.parameters > 0
        logits = predict_logits(retrained.model, task.data.valid, task.config)
        assert logits.shape == (len(task.data.valid),)
        assert np.isfinite(logits).all()

    def test_retrains_alike_from_what_was_kept(
        self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome, kept: SearchOutcome, retrained: Retrained
    ) -> None:
        """A study keeps a search in a folder; whoever re-trains its design gets the same numbers, whenever."""
        again = retrain(entry, kept, task, replace(task.config, max_epochs=1))
        if _figures(again) != _figures(retrained):
            other = retrain(entry, outcome, task, replace(task.config, max_epochs=1))
            assert _figures(other) == _figures(retrained), "re-training is not deterministic"
            pytest.fail("what the search left is not all in its SoftStart: it is lost when it is kept in a file")

    def test_a_soft_model_starts_from_what_was_kept(
        self, entry: StrategyEntry, task: SearchTask, kept: SearchOutcome
    ) -> None:
        """From all of it and from nothing else: not from fresh weights, which another process draws differently."""
        if entry.mode != "soft":
            return
        assert kept.soft is not None
        shares = [share for block in kept.soft.mixture.values() for share in block.values()]
        assert all(map(math.isfinite, shares))
        first, again = (_predictions(entry, kept, task, seed) for seed in (1, 2))
        assert torch.equal(first, again), "two fresh spaces gave two soft models"
        moved = {n: w + 1 if w.is_floating_point() else w for n, w in kept.soft.weights.items()}
        other = replace(kept, soft=replace(kept.soft, weights=moved))
        assert not torch.equal(first, _predictions(entry, other, task, 1)), "the kept weights make no difference"

    # Saved models ----------------------------------------------------------------------------------------------

    def test_opens_again_as_it_was_saved(
        self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome, retrained: Retrained
    ) -> None:
        """From the design, the state and, if soft, the mixture alone: it gives the same predictions bit for bit."""
        if entry.fit_model is not None and entry.open_model is None:
            pytest.skip("its entry has no open_model: its models can be compared, but not be opened again")
        again = opened_again(entry, task, outcome, retrained)
        found, expected = (predict_logits(m, task.data.valid, task.config) for m in (again, retrained.model))
        assert np.array_equal(found, expected)

    # Within the budget -----------------------------------------------------------------------------------------

    def test_budget_is_kept(self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome) -> None:
        """A training ends with the step that reaches its share, so it may go over by less than that step.

        A step takes one batch, or two in a supernet whose architecture has a batch of its own.
        """
        assert task.budget.samples is not None, "the contract's task has a budget in samples"
        assert "ended" not in outcome.details, f"it did not end by itself: {outcome.details['ended']}"
        trainings = {"reference": 0, "one-shot": 2, "multi-trial": outcome.candidates}[entry.kind]
        assert outcome.samples <= task.budget.samples + trainings * (BATCH_SIZE - 1)
        assert (outcome.samples > 0) == (entry.kind != "reference")
        if entry.kind == "multi-trial":
            assert 1 <= outcome.candidates <= task.candidates

    def test_trace_is_finite_and_in_order(self, entry: StrategyEntry, outcome: SearchOutcome) -> None:
        """The report draws it against samples and seconds; the best point is what the search claims."""
        for point in outcome.trace:
            assert math.isfinite(point.seconds)
            assert point.seconds >= 0
            assert 0 <= point.valid_auc <= 1
        samples = [point.samples for point in outcome.trace]
        assert samples == sorted(samples)
        assert all(0 < count <= outcome.samples for count in samples)
        if entry.kind == "reference":
            assert outcome.valid_auc is None
        else:
            assert outcome.valid_auc == max(point.valid_auc for point in outcome.trace)

    def test_test_rows_are_out_of_reach(self, data: SearchData, outcome: SearchOutcome) -> None:
        """`outcome` was found although the files of the test rows are gone."""
        assert outcome.design is not None
        assert not any("test" in field.name for field in fields(data))
        folder = data.folder
        assert list(folder.glob("train_*"))
        assert not list(folder.glob("test_*"))

    # Well-behaved ----------------------------------------------------------------------------------------------

    def test_nothing_is_printed(self, repeated: Repeated) -> None:
        """Progress goes to the task's console, and this task has none."""
        assert repeated.printed == ""

    def test_details_are_json(self, outcome: SearchOutcome) -> None:
        """A study keeps them in a file."""
        assert json.loads(json.dumps(outcome.details, allow_nan=False)) is not None

    # Parameters ------------------------------------------------------------------------------------------------

    def test_unknown_parameters_are_refused(self, entry: StrategyEntry, task: SearchTask) -> None:
        """A misspelt parameter must not be ignored."""
        with pytest.raises(OptionError, match="no_such_parameter"):
            run_search(entry, task, {"no_such_parameter": 1})

    def test_every_parameter_has_a_distribution_that_holds_its_default(self, entry: StrategyEntry) -> None:
        """Tuning starts at the default. A reference may have parameters that are not worth tuning."""
        distributions = dict(entry.distributions())
        assert set(distributions) <= set(entry.parameters)
        assert entry.kind == "reference" or set(distributions) == set(entry.parameters)
        # Optuna refuses a trial with a value outside of its distribution.
        defaults = {name: entry.parameters[name] for name in distributions}
        optuna.trial.create_trial(params=defaults, distributions=distributions, value=0.5)

    def test_builds_at_the_ends_of_every_distribution(self, entry: StrategyEntry, task: SearchTask) -> None:
        """Whatever tuning proposes can be built; a wrong value raises an OptionError, and none of these is wrong."""
        context = build_context(task)
        for name, distribution in entry.distributions().items():
            for value in _ends(distribution):
                parameters = entry.with_parameters({name: value})
                if entry.kind == "reference":
                    design = entry.reference(context, parameters)
                    if entry.fit_model is not None:
                        continue
                    assert sum(p.numel() for p in new_model(entry, design, task.make_space()).parameters()) > 0
                else:
                    strategy = entry.build(context, **parameters)
                    assert strategy is not entry.build(context, **parameters)


def _figures(retrained: Retrained) -> tuple[Any, ...]:
    return retrained.fit.best_valid_auc, retrained.fit.best_valid_logloss, retrained.parameters


def _predictions(entry: StrategyEntry, outcome: SearchOutcome, task: SearchTask, seed: int) -> torch.Tensor:
    """Of the model that is re-trained, before it is: logits ``[rows]`` of a few validation rows."""
    with seeded(seed):
        model = model_to_train(entry, outcome, task).eval()
    batch = next(iter(BatchLoader(task.data.valid, 64)))
    with torch.inference_mode():
        predictions: torch.Tensor = model(batch.ids, batch.values)
    return predictions


def _ends(distribution: Any) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]
