"""What the searches reached at what cost (best-so-far curves), the test AUC of every seed, and reliability curves."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, NamedTuple

from nas_fusion.records import CellRecord, ReliabilityBin, TracePoint
from nas_fusion.report.numbers.decision import Row
from nas_fusion.report.numbers.summaries import Groups

Cost = Literal["seconds", "samples"]
SEARCH_COSTS: tuple[Cost, ...] = ("samples", "seconds")
"""What a search may cost, in the order of the figures."""

Measure = Literal["valid", "test"]

View = tuple[float, float]
"""The AUCs at the two ends of an axis."""


class Steps(NamedTuple):
    """A step function: from ``x[i]`` on the value is ``y[i]``."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class Endpoint(NamedTuple):
    """A strategy's mean cost of search and re-training together, and its mean AUC after that."""

    cost: float
    valid_auc: float
    test_auc: float

    def reached(self, measure: Measure) -> float:
        """The AUC on validation or on test."""
        return self.valid_auc if measure == "valid" else self.test_auc


class SearchCurve(NamedTuple):
    """Best validation AUC against cost of one strategy, or of several that share one search.

    `seeds` holds one curve per seed and `mean` their mean; all are empty for a reference. `test` is the mean of the
    test AUC of the model that was the best on validation at that time; empty where a seed's was not measured.
    """

    strategies: tuple[str, ...]
    seeds: tuple[Steps, ...]
    mean: Steps
    test: Steps
    ends: dict[str, Endpoint]

    def line(self, measure: Measure) -> Steps:
        """The curve of the mean, on validation or on test."""
        return self.mean if measure == "valid" else self.test


class CurveSet(NamedTuple):
    """The curves of all searches over one cost, and the AUCs to show (None: whatever there is)."""

    by: Cost
    curves: tuple[SearchCurve, ...]
    valid_view: View | None
    test_view: View | None

    @property
    def has_test(self) -> bool:
        """Whether any search was measured on test, too."""
        return any(curve.test.x for curve in self.curves)

    def view(self, measure: Measure) -> View | None:
        """The AUCs to show."""
        return self.valid_view if measure == "valid" else self.test_view


class SeedDots(NamedTuple):
    """The test AUC of every seed of one strategy, with mean and standard deviation.

    `not_learned`: the seeds whose model knows nothing.
    """

    strategy: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    sd: float | None
    not_learned: tuple[int, ...] = ()


class SeedAucs(NamedTuple):
    """The dots of all strategies, and a close view of the upper half where one far below would hide differences."""

    dots: tuple[SeedDots, ...]
    attainable: float | None
    close_view: View | None


class Reliability(NamedTuple):
    """How far the best seed's probabilities can be believed on test rows: its bins, by ascending prediction."""

    strategy: str
    seed: int
    bins: tuple[ReliabilityBin, ...]


class ReliabilityCurves(NamedTuple):
    """The curves of all strategies that have one, and the highest probability to show."""

    curves: tuple[Reliability, ...]
    highest: float


def reliability_curves(rows: Sequence[Row]) -> ReliabilityCurves | None:
    """The reliability curve of every strategy's best seed, in the order of the table; None where no record has one."""
    best = [row.summary.best for row in rows if row.summary.best.reliability]
    if not best:
        return None
    curves = tuple(Reliability(cell.strategy, cell.seed, cell.reliability) for cell in best)
    ends = [max(b.predicted, b.observed) for curve in curves for b in curve.bins]
    return ReliabilityCurves(curves, max(ends))


def best_so_far(trace: Sequence[TracePoint], by: Cost) -> Steps:
    """The running maximum of the validation AUC over `by`; validations that are not a number count for nothing."""
    best, end = _best_points(trace, by)
    return _steps([(float(getattr(p, by)), p.valid_auc) for p in best], end)


def best_on_test(trace: Sequence[TracePoint], by: Cost) -> Steps:
    """The test AUC of the model that was the best on validation up to each cost; empty where one was not measured."""
    best, end = _best_points(trace, by)
    measured = [(float(getattr(p, by)), p.test_auc) for p in best if p.test_auc is not None]
    return _steps(measured if len(measured) == len(best) else [], end)


def _best_points(trace: Sequence[TracePoint], by: Cost) -> tuple[list[TracePoint], float]:
    """The points that were better than all before them, and the cost of the last point."""
    points = sorted((p for p in trace if not math.isnan(p.valid_auc)), key=lambda p: float(getattr(p, by)))
    best: list[TracePoint] = []
    for point in points:
        if not best or point.valid_auc > best[-1].valid_auc:
            best.append(point)
    return best, float(getattr(points[-1], by)) if points else 0.0


def _steps(points: Sequence[tuple[float, float]], end: float) -> Steps:
    """The step function through `points`, drawn out to `end`."""
    drawn = [*points, (end, points[-1][1])] if points and end > points[-1][0] else list(points)
    return Steps(tuple(x for x, _ in drawn), tuple(y for _, y in drawn))


def mean_steps(curves: Sequence[Steps]) -> Steps:
    """The mean of step functions, from where all of them have a value; one that has ended keeps its last value."""
    curves = [c for c in curves if c.x]
    if not curves:
        return Steps((), ())
    start = max(c.x[0] for c in curves)
    costs = sorted({cost for c in curves for cost in c.x if cost >= start})
    return Steps(tuple(costs), tuple(sum(_at(c, cost) for c in curves) / len(curves) for cost in costs))


def _at(curve: Steps, cost: float) -> float:
    return curve.y[bisect_right(curve.x, cost) - 1]


def curve_set(groups: Groups, by: Cost) -> CurveSet:
    """The curves of a comparison over one cost."""
    curves = search_curves(groups, by)
    return CurveSet(by, tuple(curves), curves_range(curves, "valid"), curves_range(curves, "test"))


def search_curves(groups: Groups, by: Cost) -> list[SearchCurve]:
    """One entry per search, in the order of the records."""
    owners: dict[str, list[str]] = {}
    for strategy, group in groups.items():
        shared = group[0].shares_search_with
        owners.setdefault(shared if shared in groups else strategy, []).append(strategy)
    curves = []
    for owner, strategies in owners.items():
        seeds = tuple(best_so_far(r.trace, by) for r in groups[owner])
        tests = [best_on_test(r.trace, by) for r in groups[owner]]
        test = mean_steps(tests) if all(t.x for t in tests) else Steps((), ())
        ends = {s: _end(groups[s], by) for s in strategies}
        curves.append(SearchCurve(tuple(strategies), seeds, mean_steps(seeds), test, ends))
    return curves


def _end(group: Sequence[CellRecord], by: Cost) -> Endpoint:
    accounts = ("search", "derive", "retrain")
    costs = [sum(getattr(r, f"{account}_{by}") for account in accounts) for r in group]
    n = len(group)
    return Endpoint(sum(costs) / n, sum(r.valid_auc for r in group) / n, sum(r.test_auc for r in group) / n)


def seed_aucs(rows: Sequence[Row], attainable: float | None) -> SeedAucs:
    """The test AUC of every seed, in the order of the table."""
    dots = seed_dots(rows)
    return SeedAucs(tuple(dots), attainable, close_range(dots))


def seed_dots(rows: Sequence[Row]) -> list[SeedDots]:
    """The seeds' test AUC of every strategy, in the order of the table."""
    return [
        SeedDots(
            s.strategy,
            s.seeds,
            tuple(s.test_auc_by_seed.values()),
            s.test_auc.mean,
            s.test_auc.sd,
            row.not_learned,
        )
        for row in rows
        for s in [row.summary]
    ]


def close_range(dots: Sequence[SeedDots]) -> View | None:
    """The axis range that shows the upper half of the strategies, where it is far narrower than all; else None."""
    values = [v for d in dots for v in d.values if math.isfinite(v)]
    means = sorted((d.mean for d in dots if math.isfinite(d.mean)), reverse=True)
    if len(means) < 3:
        return None
    cut = means[(len(means) - 1) // 2]
    upper = [v for d in dots if d.mean >= cut for v in d.values]
    margin = 0.1 * (max(upper) - min(upper)) + 1e-4
    low, high = min(upper) - margin, max(upper) + margin
    return (low, high) if max(values) - min(values) > 3 * (high - low) else None


def curves_range(curves: Sequence[SearchCurve], measure: Measure) -> View | None:
    """The part of the AUC axis from where half of the searches begin to the best end; ends far below are left out."""
    lines = [line for c in curves if (line := c.line(measure)).y]
    ends = [line.y[-1] for line in lines]
    ends += [v for c in curves for e in c.ends.values() if math.isfinite(v := e.reached(measure))]
    if not ends:
        return None
    low, high = upper_part(ends)
    spread = max(high - low, 1e-3)
    begin = statistics.median_low([line.y[0] for line in lines]) if lines else high
    return min(low - spread, begin), high


def upper_part(aucs: Sequence[float]) -> View:
    """Lowest and highest AUC to show: all, but where some lie far below the upper half, the upper half."""
    low, high, median = min(aucs), max(aucs), statistics.median(aucs)
    return (median if high - low > 3 * (high - median) else low), high
