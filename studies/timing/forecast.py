"""How long a comparison will take: what its trainings take, times how many there are. When trainings stop early nobody
knows before; that part is a guess, and is said to be one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nas_fusion.records import CellRecord
from nas_fusion.settings import ComparisonSettings, RunSettings
from nas_fusion.strategy import StrategyEntry
from nas_fusion.studies.recipe.sweep_passes import allowed_passes, too_few
from nas_fusion.studies.setup.assembly import Assembly
from nas_fusion.studies.timing.paces import Paces

EPOCHS = 9.0
"""Of a re-training with a patience of 2: the middle of what was needed on seven public logs, from 4 to 18."""

USUAL_PATIENCE = 2
SEARCH_EPOCHS = 0.45
"""A supernet that stops after one epoch without a gain takes about this part of the epochs of a re-training."""

CHANGED = 1.4
"""A recipe that a sweep chooses takes more epochs than the one it began with: it mostly regularises."""

IMPORTANCE_PASSES, TEST_PASSES, INCUMBENTS = 5.0, 1.0, 4.0
"""Passes over validation or test rows behind a re-training: what connections are worth, the test, a search's models."""

CELL_SECONDS = 2.0
"""For the latency of a model, its files and its place in the storage."""


@dataclass(frozen=True)
class Forecast:
    """What the cells of a comparison will take.

    Args:
        paces: of its trainings.
        epochs: of a re-training, as far as anybody can tell.
        known: seconds of cells that are finished, by strategy: they count more than any forecast.
    """

    paces: Paces
    epochs: float = EPOCHS
    known: Mapping[str, float] = field(default_factory=dict)

    @property
    def assembly(self) -> Assembly:
        """Of the comparison."""
        return self.paces.assembly

    def cell(self, strategy: str, *, searched: bool = False) -> float:
        """Seconds of one cell.

        Args:
            strategy: whose.
            searched: another cell of its seed has done the search.
        """
        entry = self.assembly.entries[strategy]
        search = 0.0 if searched else self.search(entry)
        return search + self.known.get(strategy, self.retraining(entry))

    def search(self, entry: StrategyEntry) -> float:
        """Seconds of a search, the test of its best models included."""
        if entry.kind == "reference":
            return 0.0
        budget, settings, data = self.assembly.budget, self.assembly.settings, self.assembly.dataset
        tested = INCUMBENTS * len(data.test) * self.paces.reference.valid_row * settings.anytime_test
        if budget.seconds is not None or budget.samples is None:
            return (budget.seconds or 0.0) + tested
        if entry.kind == "multi-trial":
            return self._candidates(budget.samples) + tested
        pace = self.paces.search(entry.search_name)
        samples = float(budget.samples)
        if entry.patience:
            samples = min(samples, max(1.0, SEARCH_EPOCHS * self.epochs) * len(data.train))
        return pace.row * samples + tested

    def _candidates(self, samples: int) -> float:
        data, pace = self.assembly.dataset, self.paces.reference
        count = self.assembly.budget.candidates or self.assembly.settings.candidates
        validations = count * math.ceil(samples / count / len(data.train))
        return count * pace.start + pace.row * samples + pace.valid_row * validations * len(data.valid)

    def retraining(self, entry: StrategyEntry, networks: int = 0) -> float:
        """Seconds of re-training, test, and all that is measured of a model.

        Args:
            entry: its strategy.
            networks: that are averaged; 0: as many as the settings say.
        """
        settings, data = self.assembly.settings, self.assembly.dataset
        if entry.fit_model is not None:
            guessed = self.paces.reference.seconds(self.epochs * len(data.train), self.epochs * len(data.valid))
            return self.paces.wholes.get(entry.name, guessed) + CELL_SECONDS
        pace = self.paces.model(entry.name)
        epochs = expected_epochs(settings, CHANGED * self.epochs if self.sweep() else self.epochs)
        important = IMPORTANCE_PASSES * len(data.valid) * settings.importance * (not entry.has_own_space)
        behind = pace.valid_row * (important + TEST_PASSES * len(data.test))
        networks = networks or settings.members(len(data.train))
        one = pace.seconds(epochs * len(data.train), epochs * len(data.valid))
        return networks * (one + behind) + CELL_SECONDS

    def seed(self, strategies: Iterable[str] | None = None) -> float:
        """Seconds of one seed of strategies; of all of them if not given."""
        total, searched = 0.0, set[str]()
        for name in self.assembly.settings.strategies if strategies is None else strategies:
            entry = self.assembly.entries[name]
            total += self.cell(name, searched=entry.search_name in searched)
            if not self.assembly.settings.tune:
                searched.add(entry.search_name)
        return total

    def sweep(self) -> float:
        """Seconds of choosing the recipe."""
        settings, data = self.assembly.settings, self.assembly.dataset
        if settings.recipe.choice != "auto":
            return 0.0
        passes = allowed_passes(settings, self.assembly.entries.values(), len(data.train))
        if too_few(settings, passes):
            return 0.0
        return self.paces.reference.seconds(passes * len(data.train), passes * len(data.valid))

    def tunings(self) -> float:
        """Seconds of all tuning trials."""
        entries = self.assembly.entries.values()
        return self.assembly.settings.tune * sum(self.search(one) + self.retraining(one, 1) for one in entries)

    def whole(self, processes: int = RunSettings.processes) -> float:
        """Seconds of the whole comparison.

        Args:
            processes: that compute cells side by side; one alone chooses the recipe.
        """
        cells = self.seed() * len(self.assembly.settings.seeds)
        return self.sweep() + (self.tunings() + cells) / processes


def expected_epochs(settings: ComparisonSettings, epochs: float) -> float:
    """How many epochs a re-training by a recipe will take, where one with the usual patience takes so many."""
    recipe = settings.recipe
    if not recipe.patience:
        return recipe.retrain_epochs
    return min(recipe.retrain_epochs, max(1.0, epochs + recipe.patience - USUAL_PATIENCE))


def seconds_of(record: CellRecord, *, with_search: bool = True) -> float:
    """Seconds that a finished cell took."""
    search = record.search_seconds + record.derive_seconds if with_search else 0.0
    return search + record.retrain_seconds
