"""`DesignTable`: what every design of a small space is worth on one log, and what can be read off that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from nas_fusion.design import FusionDesign
from nas_fusion.errors import DamagedFileError, DesignError, UnknownNameError
from nas_fusion.lab.table_file import read_figures
from nas_fusion.search_spaces import DesignSet, canonical, coded_design, design_code

Figures = npt.NDArray[np.float64]
_GRID = ("code", "seed", "epoch")


@dataclass(frozen=True, eq=False)
class DesignTable:
    """Every different design of a space, trained on one log with each of a few seeds.

    Args:
        log: what it is called.
        space: of the designs.
        codes: their numbers (`nas_fusion.search_spaces.design_code`), ascending ``[design]``.
        seeds: ``[seed]``.
        valid_auc, test_auc: after each epoch, ``[design, seed, epoch]``; NaN where training failed.
        seconds: of one epoch, ``[design, seed]``.
        weights: embeddings included, ``[design]``.
        multiply_adds: per row, ``[design]``.
        facts: how the figures came about.
    """

    log: str
    space: DesignSet
    codes: npt.NDArray[np.int64]
    seeds: tuple[int, ...]
    valid_auc: Figures
    test_auc: Figures
    seconds: Figures
    weights: Figures
    multiply_adds: Figures
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path, log: str | None = None) -> DesignTable:
        """Read the table of a log.

        Args:
            path: a file that `nas_fusion.lab.make_table` or `merge_tables` wrote.
            log: which one; None where the file has one only.

        Raises:
            DamagedFileError: the file is no table, or a figure of it is missing, there twice, or out of its range.
            UnknownNameError: it has no such log.
        """
        path = Path(path)
        figures, facts = read_figures(path)
        if log is None and len(facts) == 1:
            (log,) = facts
        if log not in facts:
            raise UnknownNameError("log of the table", str(log), sorted(facts))
        mine = figures.filter(pc.equal(figures["log"], log)).drop(["log"])
        columns = {name: mine[name].to_numpy() for name in mine.column_names}
        try:
            return _of_columns(log, columns, facts[log])
        except (ValueError, KeyError, TypeError, DesignError) as error:
            raise DamagedFileError(path, f"the figures of log {log!r} are damaged: {error}") from error

    @property
    def epochs(self) -> int:
        """Of every training."""
        return self.valid_auc.shape[2]

    def __len__(self) -> int:
        return len(self.codes)

    def design(self, place: int) -> FusionDesign:
        """The design at a place."""
        return coded_design(int(self.codes[place]), self.space)

    def place(self, design: FusionDesign) -> int:
        """Where the design that computes the same as this one is.

        Raises:
            DesignError: it is not in the table.
        """
        code = design_code(canonical(design), self.space)
        place = int(np.searchsorted(self.codes, code))
        if place == len(self) or self.codes[place] != code:
            raise DesignError(f"not a design of the table of {self.log}: {design}")
        return place

    @cached_property
    def chosen_epoch(self) -> npt.NDArray[np.int64]:
        """Place of the epoch with the best validation AUC, ``[design, seed]``; the first of equals."""
        return np.where(np.isnan(self.valid_auc), -np.inf, self.valid_auc).argmax(axis=2)

    @cached_property
    def chosen_test_auc(self) -> Figures:
        """Test AUC of that epoch, ``[design, seed]``."""
        return np.take_along_axis(self.test_auc, self.chosen_epoch[:, :, None], axis=2)[:, :, 0]

    @cached_property
    def quality(self) -> Figures:
        """What a design is worth: its mean test AUC over the seeds, ``[design]``; NaN where one failed."""
        return self.chosen_test_auc.mean(axis=1)

    @property
    def best_place(self) -> int:
        """The optimum: the design with the best quality."""
        return int(np.nanargmax(self.quality))

    def regret(self, design: FusionDesign) -> float:
        """By how much a design's quality is below the best one's; NaN where it could not be trained."""
        return float(np.nanmax(self.quality) - self.quality[self.place(design)])

    @property
    def noise(self) -> float:
        """Standard deviation of one training's test AUC over seeds, of all designs together; NaN with one seed."""
        if len(self.seeds) < 2:
            return float("nan")
        return float(np.sqrt(np.nanmean(self.chosen_test_auc.var(axis=1, ddof=1))))

    @property
    def tied_with_best(self) -> npt.NDArray[np.bool_]:
        """The designs that one cannot tell from the best by as many seeds as the table has: within two standard errors
        of the difference, ``[design]``; with one seed those that are as good."""
        error = 0.0 if len(self.seeds) < 2 else 2 * self.noise * np.sqrt(2 / len(self.seeds))
        return np.asarray(self.quality >= np.nanmax(self.quality) - error)

    def rank_correlations(self) -> Figures:
        """Spearman's, of one seed's validation AUC after each epoch with the quality over the *other* seeds.

        ``[epoch]``, the mean over the seeds. With one seed: with the test AUC of that seed, whose luck then is in both.
        """
        from scipy.stats import spearmanr

        found = np.full((len(self.seeds), self.epochs), np.nan)
        for seed in range(len(self.seeds)):
            others = [s for s in range(len(self.seeds)) if s != seed] or [seed]
            truth = self.chosen_test_auc[:, others].mean(axis=1)
            for epoch in range(self.epochs):
                valid = self.valid_auc[:, seed, epoch]
                both = np.isfinite(valid) & np.isfinite(truth)
                found[seed, epoch] = spearmanr(valid[both], truth[both]).statistic
        return np.asarray(found.mean(axis=0))


def _of_columns(log: str, columns: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]) -> DesignTable:
    """Put columns into a grid.

    Raises:
        ValueError: they do not fill one, or a figure is out of its range.
        KeyError, TypeError: a fact is missing.
        DesignError: a number is not that of a canonical design.
    """
    space = DesignSet(int(facts["levels"]), tuple(facts["operations"]))
    values = {name: np.unique(columns[name]) for name in _GRID}
    shape = tuple(len(values[name]) for name in _GRID)
    places = [np.searchsorted(values[name], columns[name]) for name in _GRID]
    place = np.ravel_multi_index(places, shape)
    counts = np.bincount(place, minlength=int(np.prod(shape)))
    if (counts != 1).any():
        wrong = int(np.flatnonzero(counts != 1)[0])
        where = zip(_GRID, np.unravel_index(wrong, shape), strict=True)
        named = ", ".join(f"{name} {values[name][int(at)]}" for name, at in where)
        raise ValueError(f"{named} must be there once, and is there {counts[wrong]} times")
    if list(values["epoch"]) != list(range(1, shape[2] + 1)):
        raise ValueError(f"epochs must be 1, 2, …, found {values['epoch'].tolist()}")
    for code in values["code"]:
        design = coded_design(int(code), space)
        if not design.is_legal or canonical(design) != design:
            raise ValueError(f"{code} is not the number of a legal design in its canonical form")
    grids = {name: np.empty(shape) for name in ("valid_auc", "test_auc", "seconds", "weights", "multiply_adds")}
    for name, grid in grids.items():
        grid.ravel()[place] = columns[name]
    for name in ("valid_auc", "test_auc"):
        if ((grids[name] < 0) | (grids[name] > 1)).any():
            raise ValueError(f"{name} must be from 0 to 1")
    return DesignTable(
        log=log,
        space=space,
        codes=values["code"].astype(np.int64),
        seeds=tuple(int(seed) for seed in values["seed"]),
        valid_auc=grids["valid_auc"],
        test_auc=grids["test_auc"],
        seconds=grids["seconds"].mean(axis=2),
        weights=grids["weights"][:, 0, 0],
        multiply_adds=grids["multiply_adds"][:, 0, 0],
        facts=facts,
    )
