"""The discretisation gap: the same search's validation AUC as supernet, as derived design, and re-trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from nas_fusion.records import CONNECTION_SHARES, CONNECTIONS, CellRecord
from nas_fusion.report.numbers.summaries import Groups

DERIVED = "derived_valid_auc"
"""The key of `CellRecord.details` under which a search leaves its design's AUC with the supernet's weights."""

SUPERNET, FAR_BELOW = "supernet_valid_auc", "far_below_supernet"
"""Likewise: its supernet's AUC, and, where the design is far below it, by more than how much."""


class Stages(NamedTuple):
    """Mean validation AUC over the seeds; None where a seed has none.

    `search`: the best while searching (a supernet's, or the best candidate's); `derived`: of the design with the
    supernet's weights; `retrained`: of the design trained from scratch. `closed`, `closed_rightly`, `kept_rightly`:
    mean shares of connections (`nas_fusion.measures.connection_shares`).
    """

    strategy: str
    kind: str
    search: float | None
    derived: float | None
    retrained: float
    closed: float | None = None
    closed_rightly: float | None = None
    kept_rightly: float | None = None

    @property
    def measured(self) -> tuple[float, ...]:
        """Those that are known, in this order."""
        return tuple(v for v in (self.search, self.derived, self.retrained) if v is not None)

    @property
    def gap(self) -> float | None:
        """What is gained (or, negative, lost) from searching to re-training."""
        return None if self.search is None else self.retrained - self.search


def fallen(records: Sequence[CellRecord]) -> list[CellRecord]:
    """The cells whose design, with the supernet's weights, was far below its supernet, and was re-trained as it was.

    Not those that re-train a soft model: it is no design with one operation per block.
    """
    return [r for r in records if FAR_BELOW in r.details and r.mode == "hard"]


def stages(groups: Groups) -> list[Stages]:
    """Of every strategy that searched, in the order of the records."""
    return [
        Stages(
            strategy,
            group[0].kind,
            _mean(group, lambda r: r.search_valid_auc),
            _mean(group, lambda r: r.details.get(DERIVED)),
            sum(r.valid_auc for r in group) / len(group),
            *(_mean(group, partial(_share, name)) for name in CONNECTION_SHARES),
        )
        for strategy, group in groups.items()
        if group[0].search_valid_auc is not None
    ]


def _share(name: str, record: CellRecord) -> float | None:
    found: float | None = record.details.get(CONNECTIONS, {}).get(name)
    return found


def _mean(group: Sequence[CellRecord], value: Callable[[CellRecord], float | None]) -> float | None:
    found = [v for v in map(value, group) if v is not None and math.isfinite(v)]
    return sum(found) / len(found) if len(found) == len(group) else None
