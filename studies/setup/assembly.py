"""From settings and a log to what is run: the one place where cells, tuning trials, ``search`` and ``retrain`` are put
together, so that the same settings mean the same wherever they are used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import nn

from nas_fusion.data import EncodedDataset, Schema
from nas_fusion.design import OPERATIONS, FusionDesign
from nas_fusion.design_file import DesignContext
from nas_fusion.errors import NasFusionError, StudyError, words_of
from nas_fusion.search import (
    Budget,
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
from nas_fusion.search_spaces import SPACES, FusionSpace
from nas_fusion.settings import ComparisonSettings
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies.setup.hyperparameters import Hyperparameters, check_parameter_names
from nas_fusion.studies.setup.memory import check_memory
from nas_fusion.studies.setup.study_limits import StudyLimits
from nas_fusion.training import EpochRecord, TrainConfig, seeded
from nas_fusion.training_log import SilentLog, TrainingLog


def make_space(settings: ComparisonSettings, dataset: EncodedDataset) -> FusionSpace:
    """The search space of a comparison, with fresh weights from the current random state.

    Raises:
        StudyError: a third party's space raised something, or is none.
    """
    model, kind = settings.model, SPACES.get(settings.model.space)
    try:
        space = kind(
            field_sizes=list(dataset.schema.field_sizes),
            value_fields=list(dataset.schema.value_fields),
            levels=model.levels,
            emb_dim=settings.emb_dim,
            product=model.product,
            batch_norm=model.batch_norm,
            dropout=model.dropout,
        )
    except NasFusionError:
        raise
    except Exception as error:
        raise StudyError(f"search space {model.space!r} cannot be made: {words_of(error)}") from error
    if not isinstance(space, FusionSpace):
        raise StudyError(f"search space {model.space!r} must be a FusionSpace, got {kind.__name__}")
    return space


def make_limited_space(settings: ComparisonSettings, dataset: EncodedDataset, limits: StudyLimits) -> FusionSpace:
    """The search space of a comparison, whose searches keep the limits."""
    space = make_space(settings, dataset)
    space.limit(limits.of(space))
    return space


@dataclass(frozen=True)
class Job:
    """One strategy with one seed, ready to be searched and re-trained.

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
        """Of the re-training, soft or hard."""
        chosen = self.settings.soft_config if self.entry.mode == "soft" else self.settings.retrain_config
        return chosen(self.task.config)

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


@dataclass
class Assembly:
    """Makes the jobs of a study.

    Args:
        settings: what is compared on what; every strategy that a job is asked for is among its strategies.
        dataset: the encoded log.
        latencies: ``latency.json`` of a study that goes on; need not exist.
        console: where progress bars appear; None for none.

    Raises:
        OptionError: a setting that cannot be used, or a limit that no design of a searched strategy can keep.
        UnknownNameError: there is no such strategy, or no such space.
        StudyError: the latencies cannot be read.
    """

    settings: ComparisonSettings
    dataset: EncodedDataset
    latencies: Path | None = None
    console: Console | None = None
    entries: dict[str, StrategyEntry] = field(init=False)
    hyperparameters: dict[str, Hyperparameters] = field(init=False)
    operations: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {name: STRATEGIES.get(name) for name in self.settings.strategies}
        self.budget = Budget.parse(self.settings.budget, len(self.dataset.train))
        self.limits = StudyLimits(self.settings, self.settings.train_config(len(self.dataset.train)), self.latencies)
        check_memory(self.settings, self.dataset, self.entries.values(), make_space)
        with seeded(0):  # a bad option shows before anything is written
            # A reference is there for comparison, whatever it costs.
            modes = {entry.mode for entry in self.entries.values() if entry.kind != "reference"}
            space = make_space(self.settings, self.dataset)
            self.limits.check_reachable(space, modes)
        self.operations = space.designs.operations
        self.hyperparameters = {n: Hyperparameters(self.settings, e) for n, e in self.entries.items()}
        check_parameter_names(self.settings, self.entries.values())

    def job(
        self,
        strategy: str,
        seed: int,
        values: Mapping[str, Any] | None = None,
        *,
        label: str = "",
        training_log: TrainingLog | None = None,
        engine: Engine | None = None,
    ) -> Job:
        """What a strategy is to do with a seed.

        Args:
            strategy: one of the settings' strategies.
            seed: of search and re-training.
            values: tuned hyperparameters, if there are any.
            label: what progress bars call it; the strategy's name if not given.
            training_log: told of every training.
            engine: where the trainings of the search run; in this process if not given.

        Raises:
            OptionError: a tuned hyperparameter is unknown.
        """
        entry = self.entries[strategy]
        settings, parameters = self.hyperparameters[strategy].apply(values or {})
        task = SearchTask(
            data=self.dataset.search_view(),
            make_space=partial(make_limited_space, settings, self.dataset, self.limits),
            config=settings.train_config(len(self.dataset.train), seed),
            budget=self.budget,
            candidates=settings.candidates,
            label=label or strategy,
            console=self.console,
            training_log=training_log or SilentLog(),
            engine=engine or InProcess(settings.concurrency),
        )
        return Job(entry, settings, task, parameters, self.limits)

    def context(self, job: Job) -> DesignContext:
        """What the file of a job's design says beside the design."""
        settings, schema = job.settings, self.dataset.schema
        usual = tuple(self.operations) == OPERATIONS
        return DesignContext(
            version=version("nas-fusion"),
            strategy=job.entry.name,
            mode=job.entry.mode,
            seed=job.task.seed,
            model={
                **asdict(settings.model),
                "emb_dim": settings.emb_dim,
                **({} if usual else {"operations": list(self.operations)}),
            },
            recipe=asdict(settings.recipe),
            data={
                "source": settings.source,
                "options": settings.to_dict()["data"],
                "fields": len(schema.fields),
                "schema": schema_fingerprint(schema),
            },
        )


def schema_fingerprint(schema: Schema) -> str:
    """Twelve hexadecimal digits of the names and kinds of the fields, in their order; not of their vocabularies."""
    fields = [[f.name, str(f.kind)] for f in schema.fields]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:12]
