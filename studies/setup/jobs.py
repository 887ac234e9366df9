"""One strategy with one seed, ready to be searched and re-trained: the same for a cell, a tuning trial, ``search`` and
``retrain``, so that the same settings mean the same wherever they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import Any

from rich.console import Console
from torch import nn

from nas_fusion.data import EncodedDataset
from nas_fusion.design import OPERATIONS, FusionDesign
from nas_fusion.design_file import DesignContext
from nas_fusion.search import (
    Engine,
    InProcess,
    KeptLimits,
    Retrained,
    SearchOutcome,
    SearchTask,
    faults_of,
    keep_limits,
    model_to_train,
    retrain,
    run_search,
)
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.settings import ComparisonSettings
from nas_fusion.settings.recipe_settings import OF_THE_CHOICE
from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.setup.assembly import Assembly, schema_fingerprint
from nas_fusion.studies.setup.study_limits import StudyLimits
from nas_fusion.studies.setup.study_space import block_width, make_space, settings_for
from nas_fusion.training import EpochRecord, TrainConfig, seeded
from nas_fusion.training_log import LabelledLog, SilentLog, TrainingLog


@dataclass(frozen=True)
class Surroundings:
    """What a job runs in; nothing of it changes a number.

    Args:
        console: where progress bars appear; None for none.
        training_log: told of every training.
        engine: where the trainings of searches run; in this process if not given.
    """

    console: Console | None = None
    training_log: TrainingLog = field(default_factory=SilentLog)
    engine: Engine | None = None

    def labelled(self, **parameters: object) -> Surroundings:
        """The same, where every training is told of with these parameters."""
        return replace(self, training_log=LabelledLog(self.training_log, parameters))


@dataclass(frozen=True)
class Job:
    """One strategy with one seed.

    Args:
        entry: the strategy.
        settings: the comparison's, with the tuned values in them.
        task: of the search and of the re-training.
        parameters: those of the strategy that differ from its defaults.
        limits: on what designs may cost.
    """

    entry: StrategyEntry
    settings: ComparisonSettings
    task: SearchTask
    parameters: Mapping[str, Any]
    limits: StudyLimits

    @property
    def recipe(self) -> TrainConfig:
        """Of the re-training, soft or hard; what is fitted as a whole is one model."""
        chosen = self.settings.soft_config if self.entry.mode == "soft" else self.settings.retrain_config
        config = chosen(self.task.config)
        return config if self.entry.fit_model is None else replace(config, members=1)

    def search(self) -> SearchOutcome:
        """Find a design; see `run_search`."""
        return run_search(self.entry, self.task, self.parameters)

    def retrain(self, outcome: SearchOutcome, on_validation: Callable[[EpochRecord], None] | None = None) -> Retrained:
        """Train a found design for good; see `nas_fusion.search.retrain`."""
        return retrain(self.entry, outcome, self.task, self.recipe, on_validation)

    def keep_limits(self, outcome: SearchOutcome) -> KeptLimits:
        """Hold what the search found against the limits.

        A hand-made design, and what was found in a space of its own, stays as it is.

        Raises:
            OptionError: the limit on latency cannot be kept.
        """
        if not self.limits.settings.any:
            return KeptLimits(outcome)
        with faults_of(self.entry), seeded(self.task.seed):
            space = self.task.make_space()
            own = self.limits.of(space)
            assert own is not None, "there are some"
            if self.entry.kind == "reference" or not isinstance(outcome.design, FusionDesign):
                return KeptLimits(outcome, limits=own)

            def clock(design: FusionDesign) -> float:
                # A soft model is its entry's own; hard ones are the space's, whoever found the design.
                kind = f"soft by {self.entry.name}" if self.entry.mode == "soft" else "hard"
                name = f"{kind}, {design.pruned()}"
                return self.limits.measured(space, name, lambda: self._model(space, outcome, design))

            return keep_limits(outcome, own, clock, mode=self.entry.mode, label=self.task.label)

    def _model(self, space: FusionSpace, outcome: SearchOutcome, design: FusionDesign) -> nn.Module:
        if self.entry.mode == "hard":
            return space.sketch(design)
        return model_to_train(self.entry, replace(outcome, design=design), self.task)


def make_job(
    assembly: Assembly,
    strategy: str,
    seed: int,
    values: Mapping[str, Any] | None = None,
    *,
    label: str = "",
    surroundings: Surroundings | None = None,
) -> Job:
    """What a strategy is to do with a seed.

    Args:
        assembly: of the study.
        strategy: one of its strategies.
        seed: of search and re-training.
        values: tuned hyperparameters, if there are any.
        label: what progress bars call it; the strategy's name if not given.
        surroundings: what it runs in; without any, nothing is told of it.

    Raises:
        OptionError: a tuned hyperparameter is unknown.
    """
    entry, around = assembly.entries[strategy], surroundings or Surroundings()
    settings, parameters = assembly.hyperparameters[strategy].apply(values or {})
    settings = settings_for(settings, entry)
    task = SearchTask(
        data=assembly.dataset.search_view(),
        make_space=partial(_make_limited_space, settings, assembly.dataset, assembly.limits),
        config=settings.train_config(len(assembly.dataset.train), seed),
        budget=assembly.budget,
        candidates=settings.candidates,
        start_from=settings.start_from,
        label=label or strategy,
        console=around.console,
        training_log=around.training_log,
        engine=around.engine or InProcess(settings.concurrency),
        prefer=settings.limits.prefer,
    )
    return Job(entry, settings, task, parameters, assembly.limits)


def design_context(assembly: Assembly, job: Job) -> DesignContext:
    """What the file of a job's design says in addition to the design."""
    settings, schema = job.settings, assembly.dataset.schema
    # Those that a space brings by itself are no setting: a list tells them from what the user, or a strategy, chose.
    usual = settings.model.operation_names is not None or assembly.operations == OPERATIONS
    return DesignContext(
        version=version("nas-fusion"),
        strategy=job.entry.name,
        mode=job.entry.mode,
        seed=job.task.seed,
        model={
            **asdict(settings.model),
            "emb_dim": settings.emb_dim,
            "block_width": str(block_width(settings, len(schema.fields), len(assembly.dataset.train))),
            **({} if usual else {"operations": list(assembly.operations)}),
        },
        recipe={name: value for name, value in asdict(settings.recipe).items() if name not in OF_THE_CHOICE},
        data={
            "source": settings.source,
            "options": settings.to_dict()["data"],
            "fields": len(schema.fields),
            "schema": schema_fingerprint(schema),
        },
    )


def _make_limited_space(settings: ComparisonSettings, dataset: EncodedDataset, limits: StudyLimits) -> FusionSpace:
    """The search space of a comparison, whose searches keep the limits."""
    space = make_space(settings, dataset)
    space.limit(limits.of(space))
    return space
