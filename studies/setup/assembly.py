"""Settings and a log, held against each other once: everything that the same study's jobs have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_fusion.data import EncodedDataset, EncodedSplit, Schema
from nas_fusion.errors import OptionError
from nas_fusion.search import Budget
from nas_fusion.settings import ComparisonSettings, RunSettings
from nas_fusion.strategy import STRATEGIES, StrategyEntry
from nas_fusion.studies.setup.hyperparameters import Hyperparameters, check_parameter_names
from nas_fusion.studies.setup.memory import check_memory
from nas_fusion.studies.setup.study_limits import StudyLimits
from nas_fusion.studies.setup.study_space import make_space, say_block_width, settings_for
from nas_fusion.training import Predictions, seeded
from nas_fusion.training.quality import grouped_auc


@dataclass(frozen=True)
class Assembly:
    """Settings and a log that fit each other, as `assemble` has found.

    Args:
        settings: what is compared on what.
        dataset: the encoded log.
        entries: the strategies by name, in the order of the settings.
        budget: of every search.
        limits: on what designs may cost.
        hyperparameters: strategy → what a tuning may change.
        operations: of the space.
    """

    settings: ComparisonSettings
    dataset: EncodedDataset
    entries: Mapping[str, StrategyEntry]
    budget: Budget
    limits: StudyLimits
    hyperparameters: Mapping[str, Hyperparameters]
    operations: tuple[str, ...]


def assemble(
    settings: ComparisonSettings,
    dataset: EncodedDataset,
    latencies: Path | None = None,
    *,
    processes: int = RunSettings.processes,
) -> Assembly:
    """Hold settings and a log against each other, so that a bad option shows before anything is written.

    Args:
        settings: what is compared on what; every strategy that a job is asked for is among its strategies.
        dataset: the encoded log.
        latencies: ``latency.json`` of a study that goes on; need not exist.
        processes: how many of them train at once on this machine.

    Raises:
        OptionError: a setting that cannot be used, models that cannot fit the machine, or a limit that no design of a
            searched strategy can keep.
        UnknownNameError: there is no such strategy, or no such space.
        StudyError: the latencies cannot be read.
    """
    entries = {name: STRATEGIES.get(name) for name in settings.strategies}
    budget = Budget.parse(settings.budget, len(dataset.train))
    _check_selection(settings.recipe.select, dataset.valid)
    check_memory(settings, dataset, entries.values(), processes=processes)
    say_block_width(settings, dataset)
    limits = StudyLimits(settings, settings.train_config(len(dataset.train)), latencies)
    with seeded(0):
        space = make_space(settings, dataset)
        # A reference is there for comparison, whatever it costs.
        for entry in (entry for entry in entries.values() if entry.kind != "reference"):
            limits.check_reachable(make_space(settings_for(settings, entry), dataset), {entry.mode})
    hyperparameters = {name: Hyperparameters(settings, entry, len(dataset.train)) for name, entry in entries.items()}
    check_parameter_names(settings, entries.values())
    return Assembly(settings, dataset, entries, budget, limits, hyperparameters, tuple(space.designs.operations))


def _check_selection(select: str, valid: EncodedSplit) -> None:
    """Refuse to choose by what the validation rows cannot tell.

    Raises:
        OptionError: by the AUC within groups, where no group has both classes.
    """
    if select != "gauc":
        return
    within = grouped_auc(Predictions.of(np.zeros(len(valid)), valid.labels, valid.weights, valid.groups))
    if within is None:
        found = "has no groups" if valid.groups is None else "has no group with both classes among its validation rows"
        raise OptionError("select", f"auc or logloss, since the log {found}", select)


def schema_fingerprint(schema: Schema) -> str:
    """Twelve hexadecimal digits of the names and kinds of the fields, in their order; not of their vocabularies."""
    fields = [[f.name, str(f.kind)] for f in schema.fields]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:12]
