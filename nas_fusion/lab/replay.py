"""Replaying searches: a strategy runs as ever, but every candidate's training is looked up in a table of designs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from nas_fusion.architecture import Found
from nas_fusion.budget import Budget
from nas_fusion.data import EncodedSplit, Schema, SearchData
from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, TrainingError
from nas_fusion.lab.design_table import DesignTable, Figures
from nas_fusion.search import SearchTask, run_search
from nas_fusion.search.front.candidate_front import CandidateFront
from nas_fusion.search.front.design_costs import costs_of_designs
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.settings import LimitSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.training import EpochRecord, Rank, TrainConfig

UNKNOWN_LOGLOSS = 0.0
"""Tables have no logloss: of two equal AUCs the first one counts."""

CONSTANT_AUC = 0.5
"""Of a model that tells no rows apart."""


class TableTrainings:
    """The trainings of a table as an engine (`nas_fusion.search.KnownTrainings`).

    A search with seed s meets the trainings of the table's seed number s modulo its seeds: all candidates of a search
    have the same one, as in a search that trains them.

    Args:
        table: of a whole space.
        rows: training rows of its log.

    Attributes:
        tried: places in the table, validation AUCs, and the samples spent then, of the candidates in their order; of
            one that is trained in parts, after each of them.
    """

    concurrency = 1

    def __init__(self, table: DesignTable, rows: int) -> None:
        self.table, self.rows = table, rows
        self.tried: list[tuple[int, float, int]] = []
        self.spent = 0

    def history(self, design: FusionDesign, config: TrainConfig, seen: int = 0) -> Sequence[EpochRecord]:
        """The validations of a design's training, behind the samples that it had seen.

        Raises:
            TrainingError: its weights were not finite.
        """
        place, seed = self.table.place(design), config.seed % len(self.table.seeds)
        epochs = round((config.max_samples or 0) / self.rows)
        aucs = self.table.valid_auc[place, seed, :epochs]
        known = not np.isnan(aucs).any()
        self.spent += epochs * self.rows - seen
        self.tried.append((place, float(aucs.max()) if known else -np.inf, self.spent))
        if not known:
            raise TrainingError(f"the training of {design} ended without figures")
        seconds = float(self.table.seconds[place, seed])
        return [
            EpochRecord(epoch, epoch * self.rows, epoch * seconds, float(auc), UNKNOWN_LOGLOSS, UNKNOWN_LOGLOSS)
            for epoch, auc in enumerate(aucs, start=1)
            if epoch * self.rows > seen
        ]

    def costs(self, design: FusionDesign) -> tuple[float, float]:
        """Multiply-adds per row, and weights."""
        place = self.table.place(design)
        return float(self.table.multiply_adds[place]), float(self.table.weights[place])


@dataclass(frozen=True, eq=False)
class Replayed:
    """Many searches of one strategy, replayed.

    Args:
        strategy: its name.
        seeds: of the searches.
        regret: of what would be handed on, after each candidate's share of the budget ``[search, candidate]``: by how
            much its quality (`DesignTable.quality`) is below the best there is.
        multiply_adds: of the design that each search ended with ``[search]``.
    """

    strategy: str
    seeds: tuple[int, ...]
    regret: Figures
    multiply_adds: Figures

    @property
    def final(self) -> Figures:
        """Regret of what each search found, ``[search]``."""
        return np.asarray(self.regret[:, -1])


def replay(
    entry: StrategyEntry,
    table: DesignTable,
    seeds: Sequence[int],
    *,
    candidates: int,
    epochs: int,
    prefer: str = LimitSettings.prefer,
    on_search: Callable[[], None] = lambda: None,
) -> Replayed:
    """Run a strategy once for each seed, by the same contract as a search that trains.

    Args:
        entry: multi-trial, over the fusion space.
        table: of a whole space.
        seeds: of the searches.
        candidates: that a search may try.
        epochs: of each one's training.
        prefer: which candidate a search hands on, one of `nas_fusion.bounds.PREFERENCES`. A table has no predictions,
            so that ``cheap`` takes for equal what no verdict would call a difference, and no more.
        on_search: called after every search.

    Raises:
        OptionError: the strategy, the table or the number of epochs is none that can be replayed.
        StrategyError: the strategy failed.
    """
    check_replayable(entry, table, epochs)
    found = []
    for seed in seeds:
        found.append(_searched(entry, table, seed, candidates, epochs, prefer))
        on_search()
    chosen = np.stack(found)
    # Without figures it is no better than a constant.
    quality = np.where(np.isnan(table.quality), CONSTANT_AUC, table.quality)
    return Replayed(entry.name, tuple(seeds), quality.max() - quality[chosen], table.multiply_adds[chosen[:, -1]])


def can_be_replayed(entry: StrategyEntry) -> bool:
    """Whether a strategy tries one design of the fusion space after the other."""
    return entry.kind == "multi-trial" and not entry.has_own_space


def check_replayable(entry: StrategyEntry, table: DesignTable, epochs: int) -> None:
    """Refuse what cannot be replayed.

    Raises:
        OptionError: the strategy, the table or the number of epochs.
    """
    if not can_be_replayed(entry):
        raise OptionError("strategies", "multi-trial strategies over the fusion space", entry.name)
    if table.facts.get("part"):
        raise OptionError("table", "one of a whole space, since a search may try any design", f"{len(table)} designs")
    if not 1 <= epochs <= table.epochs:
        raise OptionError("epochs", f"from 1 to {table.epochs}, which the table has", epochs)


def _searched(
    entry: StrategyEntry, table: DesignTable, seed: int, candidates: int, epochs: int, prefer: str
) -> npt.NDArray[np.int64]:
    """Place of what would be handed on after each candidate's share of the budget ``[candidate]``."""
    rows = int(table.facts["rows"][0])
    engine = TableTrainings(table, rows)
    task = SearchTask(
        data=_rows_without_content(table),
        make_space=partial(FusionSpace, [2], table.space.levels, 1, table.space.operations),
        # A table knows whole epochs only: an epoch is a batch, and nobody is trained for longer than all of them.
        config=TrainConfig(batch_size=rows, max_epochs=table.epochs, seed=seed, device="cpu"),
        budget=Budget(samples=candidates * epochs * rows, candidates=candidates),
        engine=engine,
        prefer=prefer,
    )
    run_search(entry, task)
    front = CandidateFront(costs_of_designs(task), task.config.select, task.data.valid)
    chosen: list[int] = []
    waiting = list(engine.tried)
    for share in range(1, candidates + 1):
        while waiting and waiting[0][2] <= share * epochs * rows:
            place, valid_auc, _ = waiting.pop(0)
            front.add(table.design(place), valid_auc, Rank(valid_auc, UNKNOWN_LOGLOSS))
        # Before one could be trained it is the first one.
        chosen.append(_place_of(front.handed_on(prefer).design, table) if front.candidates else engine.tried[0][0])
    return np.array(chosen)


def _place_of(design: Found, table: DesignTable) -> int:
    assert isinstance(design, FusionDesign), "of the table"
    return table.place(design)


def _rows_without_content(table: DesignTable) -> SearchData:
    """Splits of the log's size that take no memory: a multi-trial strategy sees no row."""
    train, valid = (
        EncodedSplit(np.broadcast_to(np.int32(0), (rows, 1)), None, np.broadcast_to(np.float32(0), rows), 0)
        for rows in table.facts["rows"][:2]
    )
    return SearchData(table.log, Schema((), "click"), train, valid, str(table.facts.get("fingerprint", "")))
