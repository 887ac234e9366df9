"""What the seeds of a strategy say together: mean, standard deviation, what it cost, and which of them learned."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from nas_fusion.architecture import Architecture
from nas_fusion.errors import OptionError
from nas_fusion.records import GENERAL, TEST_METRICS, CellRecord, ComparisonInfo
from nas_fusion.statistics import CHANCE, chance_margin

REFERENCE = "reference"

COSTS = ("multiply_adds", "latency_ms_1", "latency_ms_4096", "training_rows_per_second")
"""The costs of a model that a record may hold (`CellRecord.cost`), in the order of the tables."""

AT_CHANCE = "at_chance"
"""What the web UI and the dashboard call it of a single trial: more cannot be said before others have ended."""

Family = Literal["searched", "hand-made design", "hand-made model", "general model"]
"""What a strategy is to a reader: a search, a hand-made point of the fusion space, a network from the literature, or
what one would pick instead of all these (logistic regression, boosted trees)."""

GENERAL_MODEL: Family = "general model"

Groups = dict[str, list[CellRecord]]
"""The records of each strategy, seeds ascending; strategies in the order of their first record."""


def by_strategy(records: Iterable[CellRecord]) -> Groups:
    """Group the records of a comparison.

    Raises:
        OptionError: a strategy has two records of one seed.
    """
    groups: Groups = {}
    for record in records:
        groups.setdefault(record.strategy, []).append(record)
    for strategy, group in groups.items():
        group.sort(key=lambda r: r.seed)
        seeds = [r.seed for r in group]
        if len(set(seeds)) < len(seeds):
            raise OptionError("records", "one per strategy and seed", f"{strategy} with seeds {seeds}")
    return groups


def family(record: CellRecord) -> Family:
    """The family of a record's strategy."""
    if record.kind != REFERENCE:
        return "searched"
    if record.details.get(GENERAL):
        return "general model"
    return "hand-made model" if isinstance(record.design, Architecture) else "hand-made design"


class Spread(NamedTuple):
    """Mean and sample standard deviation (n - 1); `sd` is None for a single value."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of at least one value."""
        numbers = [float(v) for v in values]
        if not all(math.isfinite(v) for v in numbers):
            return cls(math.nan, math.nan if len(numbers) > 1 else None, len(numbers))
        sd = statistics.stdev(numbers) if len(numbers) > 1 else None
        return cls(statistics.fmean(numbers), sd, len(numbers))

    @property
    def words(self) -> str:
        """``0.9832 ±.0004``; without the deviation for one seed."""
        if self.sd is None or math.isnan(self.sd):
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ±{f'{self.sd:.4f}'.removeprefix('0')}"


class TuningCost(NamedTuple):
    """What tuning a strategy's hyperparameters took, once for all seeds."""

    seconds: float
    samples: float


@dataclass(frozen=True)
class StrategySummary:
    """One strategy over its finished seeds.

    Args:
        strategy, kind, mode, shares_search_with: as in the records.
        seeds: the finished seeds, ascending.
        valid_auc, test_auc, valid_logloss, test_logloss: after re-training.
        valid_gauc: AUC within groups on validation rows; None where a seed has none.
        search_valid_auc: while searching; None where nothing was searched.
        search_seconds, derive_seconds, retrain_seconds: what finding and re-training it took.
        search_samples, derive_samples, retrain_samples, candidates: the same in samples, and in candidate designs.
        tuning: seconds and samples of the tuning before the cells, which all seeds share; None without one.
        parameters: of the re-trained model.
        told: what else was measured on test rows, by name (`told_metrics`); only what every seed has.
        cost: the other costs of the model by name, as in the records; only those that every seed has.
        test_auc_by_seed: seed → test AUC, for comparisons by pairs.
        best: the record of the seed that is best by what validation chooses by (the first of equals).
    """

    strategy: str
    kind: str
    mode: str
    shares_search_with: str | None
    seeds: tuple[int, ...]
    valid_auc: Spread
    valid_logloss: Spread
    test_auc: Spread
    test_logloss: Spread
    valid_gauc: Spread | None
    search_valid_auc: Spread | None
    search_seconds: Spread
    derive_seconds: Spread
    retrain_seconds: Spread
    search_samples: Spread
    derive_samples: Spread
    retrain_samples: Spread
    parameters: Spread
    candidates: Spread
    tuning: TuningCost | None
    told: Mapping[str, Spread]
    cost: Mapping[str, Spread]
    test_auc_by_seed: Mapping[int, float]
    best: CellRecord

    def chosen_by(self, select: str) -> Spread:
        """What validation chooses by: one of `nas_fusion.bounds.SELECTIONS`.

        Raises:
            OptionError: by ``gauc``, where there is none.
        """
        found = {"auc": self.valid_auc, "logloss": self.valid_logloss, "gauc": self.valid_gauc}[select]
        if found is None:
            raise OptionError(f"valid_gauc of {self.strategy}", "in every record, to choose by it", None)
        return found

    @property
    def found_seconds(self) -> float:
        """Mean seconds of searching and deriving together: what it took to find the design."""
        return self.search_seconds.mean + self.derive_seconds.mean

    @property
    def found_samples(self) -> float:
        """Mean samples of searching and deriving together."""
        return self.search_samples.mean + self.derive_samples.mean

    @property
    def is_reference(self) -> bool:
        """Whether this is a hand-made design that searching has to beat."""
        return self.kind == REFERENCE

    @property
    def family(self) -> Family:
        """What it is to a reader."""
        return family(self.best)


def _place(select: str, auc: float, logloss: float, gauc: float | None) -> tuple[float, float]:
    """A sort key: the better on validation the earlier, NaN last; of equal AUCs the better logloss."""
    chosen = {"auc": -auc, "logloss": logloss, "gauc": math.nan if gauc is None else -gauc}[select]
    tie = -auc if select == "logloss" else logloss
    return (math.inf if math.isnan(chosen) else chosen, math.inf if math.isnan(tie) else tie)


def _tuning(record: CellRecord) -> TuningCost | None:
    found = record.details.get("tuning")
    return TuningCost(float(found["seconds"]), float(found["samples"])) if found else None


def told_metrics(record: CellRecord) -> dict[str, float]:
    """What a record says of its test predictions beside AUC and logloss: `TEST_METRICS` first, then other people's.

    Only what is a number; a record may come from somebody else, with anything in it.
    """
    others = record.details.get("metrics")
    found = {**(others if isinstance(others, dict) else {}), **record.test_metrics}
    names = [*TEST_METRICS, *sorted(str(name) for name in found if name not in TEST_METRICS)]
    return {name: float(found[name]) for name in names if isinstance(found.get(name), int | float)}


def _told(group: Sequence[CellRecord]) -> dict[str, Spread]:
    each = [told_metrics(record) for record in group]
    return {name: Spread.of(told[name] for told in each) for name in each[0] if all(name in told for told in each)}


def _summarise(group: Sequence[CellRecord], select: str) -> StrategySummary:
    first = group[0]
    within = [r.valid_gauc for r in group if r.valid_gauc is not None]
    searched = [r.search_valid_auc for r in group if r.search_valid_auc is not None]
    return StrategySummary(
        strategy=first.strategy,
        kind=first.kind,
        mode=first.mode,
        shares_search_with=first.shares_search_with,
        seeds=tuple(r.seed for r in group),
        valid_auc=Spread.of(r.valid_auc for r in group),
        valid_logloss=Spread.of(r.valid_logloss for r in group),
        test_auc=Spread.of(r.test_auc for r in group),
        test_logloss=Spread.of(r.test_logloss for r in group),
        valid_gauc=Spread.of(within) if len(within) == len(group) else None,
        search_valid_auc=Spread.of(searched) if searched else None,
        search_seconds=Spread.of(r.search_seconds for r in group),
        derive_seconds=Spread.of(r.derive_seconds for r in group),
        retrain_seconds=Spread.of(r.retrain_seconds for r in group),
        search_samples=Spread.of(r.search_samples for r in group),
        derive_samples=Spread.of(r.derive_samples for r in group),
        retrain_samples=Spread.of(r.retrain_samples for r in group),
        parameters=Spread.of(r.parameters for r in group),
        candidates=Spread.of(r.candidates for r in group),
        tuning=_tuning(first),
        told=_told(group),
        cost={n: Spread.of(r.cost[n] for r in group) for n in COSTS if all(n in r.cost for r in group)},
        test_auc_by_seed={r.seed: r.test_auc for r in group},
        best=min(group, key=lambda r: _place(select, r.valid_auc, r.valid_logloss, r.valid_gauc)),
    )


def summarise(records: Iterable[CellRecord], select: str = "auc") -> list[StrategySummary]:
    """One summary per strategy, the best on validation first: the highest mean AUC, unless `select` says otherwise.

    Validation orders, test only reports: sorting by the test AUC would choose on data that nobody may choose on.
    Of equal AUCs the better logloss is first; equal strategies keep the order of their records.

    Args:
        records: of a comparison.
        select: one of `nas_fusion.bounds.SELECTIONS`.

    Raises:
        OptionError: a strategy has two records of one seed.
    """
    summaries = [_summarise(group, select) for group in by_strategy(records).values()]

    def place(s: StrategySummary) -> tuple[float, float]:
        within = None if s.valid_gauc is None else s.valid_gauc.mean
        return _place(select, s.valid_auc.mean, s.valid_logloss.mean, within)

    return sorted(summaries, key=place)


class Margins(NamedTuple):
    """How far above .5 the AUC of a model that knows nothing may lie, on the validation and on the test rows."""

    valid: float
    test: float

    @classmethod
    def of(cls, rows: Sequence[int], label_rate: float) -> Margins:
        """Those of a data set: rows of the train, validation and test split, and the share of positives."""
        return cls(chance_margin(rows[1], label_rate), chance_margin(rows[2], label_rate))

    def hold(self, valid_auc: float, test_auc: float) -> bool:
        """Whether both AUCs of a model are chance; one that is not a number is not."""
        return valid_auc <= CHANCE + self.valid and test_auc <= CHANCE + self.test

    def are_left_behind(self, valid_auc: float, test_auc: float) -> bool:
        """Whether both AUCs of a model lie more than twice as far above .5: it has learned for certain."""
        return valid_auc > CHANCE + 2 * self.valid and test_auc > CHANCE + 2 * self.test


def not_learned(records: Sequence[CellRecord], info: ComparisonInfo) -> dict[str, tuple[int, ...]]:
    """The seeds of every strategy whose model did not learn; strategies without such a seed are left out.

    A cell did not learn if its AUC lies within the noise of .5 on validation and on test rows (`chance_margin`), and
    some cell of the comparison has learned for certain: where none has, the data may hold nothing to learn.
    """
    margins = Margins.of(info.rows, info.label_rate)
    if not any(margins.are_left_behind(r.valid_auc, r.test_auc) for r in records):
        return {}
    found: dict[str, tuple[int, ...]] = {}
    for record in sorted(records, key=lambda r: r.seed):
        if margins.hold(record.valid_auc, record.test_auc):
            found[record.strategy] = (*found.get(record.strategy, ()), record.seed)
    return found
