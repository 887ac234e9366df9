"""What every strategy has to keep, as tests to inherit."""

from __future__ import annotations

import json
import math
import random
from dataclasses import fields
from pathlib import Path
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
from nas_fusion.search import SearchOutcome, SearchTask, build_context, new_model, run_search
from nas_fusion.strategy import StrategyEntry
from nas_fusion.testing._fresh import designs_in_fresh_process
from nas_fusion.testing._task import BATCH_SIZE, resolve_entry, tiny_data, tiny_task

SEED = 3


class StrategyContract:
    """Inherit it in a test class, and set `strategy_name`.

    Lifecycle: pytest makes the fixtures below once per class, in this order: `data` (a small log without its test
    rows), `entry` (looked up by `strategy_name`), `task` (budget, space and seed), `outcome` (one search). Override a
    fixture to run the contract on something else, and `fresh_design` with it.

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

    # Reproducible ----------------------------------------------------------------------------------------------

    def test_same_seed_gives_the_same_search(
        self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome
    ) -> None:
        """Whatever ran before in this process, and whatever state it left."""
        torch.rand(7)
        again = run_search(entry, task)
        assert again.design == outcome.design
        assert again.valid_auc == outcome.valid_auc
        assert [(p.samples, p.valid_auc) for p in again.trace] == [(p.samples, p.valid_auc) for p in outcome.trace]

    def test_a_fresh_process_finds_the_same_design(self, fresh_design: Found, outcome: SearchOutcome) -> None:
        """No order of a set, hash seed or global state may decide."""
        assert fresh_design == outcome.design

    def test_global_random_state_is_left_alone(self, entry: StrategyEntry, task: SearchTask) -> None:
        """Users' own random numbers do not depend on a search that ran in between."""
        before = _random_states()
        run_search(entry, task)
        assert _random_states() == before

    # A design of the space -------------------------------------------------------------------------------------

    def test_design_is_legal_and_of_the_space(
        self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome
    ) -> None:
        """The design can be trained, and can be written and read."""
        if isinstance(outcome.design, FusionDesign):
            assert task.make_space().designs.problem(outcome.design) is None
        else:
            batch = next(iter(BatchLoader(task.data.valid, 8)))
            model = new_model(entry, outcome.design, task.make_space())
            assert model(batch.ids, batch.values).shape == (8,)
        assert found_from_json(outcome.design.to_json()) == outcome.design

    def test_soft_strategies_leave_a_mixture(self, entry: StrategyEntry, outcome: SearchOutcome) -> None:
        """Soft re-training needs the supernet's weights and a distribution over operations per block."""
        if entry.mode == "soft":
            assert outcome.soft is not None
            for probabilities in outcome.soft.mixture.values():
                assert sum(probabilities.values()) == pytest.approx(1.0)

    # Within the budget -----------------------------------------------------------------------------------------

    def test_budget_is_kept(self, entry: StrategyEntry, task: SearchTask, outcome: SearchOutcome) -> None:
        """A training ends with the step that reaches its share, so it may go over by less than that step.

        A step takes one batch, or two in a supernet whose architecture has a batch of its own.
        """
        assert task.budget.samples is not None, "the contract's task has a budget in samples"
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
        folder = Path(str(data.train.labels.filename)).parent
        assert list(folder.glob("train_*"))
        assert not list(folder.glob("test_*"))

    # Well-behaved ----------------------------------------------------------------------------------------------

    def test_nothing_is_printed(
        self, entry: StrategyEntry, task: SearchTask, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Progress goes to the task's console, and this task has none."""
        run_search(entry, task)
        assert capfd.readouterr() == ("", "")

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
                    found = entry.reference(context, parameters)
                    assert sum(p.numel() for p in new_model(entry, found, task.make_space()).parameters()) > 0
                else:
                    strategy = entry.build(context, **parameters)
                    assert strategy is not entry.build(context, **parameters)


def _random_states() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state()  # noqa: NPY002 - the global state is what is looked at
    return random.getstate(), np.asarray(keys).tolist(), rest, torch.get_rng_state().tolist()


def _ends(distribution: Any) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]
