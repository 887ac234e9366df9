"""Closing by measurement: as many connections of a trained supernet as validation rows do not miss, at once.

Every connection that is open lowers the loss of the rows that a supernet learns from, so its gates hardly ever close on
a small log. What a connection is worth shows when it is closed: the supernet loses validation AUC, or does not. Each
one is closed alone, those of which the supernet is least sure first; then the longest beginning of the list, in the
order of what was lost, is closed together that costs no more than the noise. It is looked for by halving.

Only validation rows are looked at, and nothing is trained. The weights do not get used to what is missing, so a
connection counts rather as worth more than it is: where a log needs its connections, they stay.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from nas_fusion.design import Connection, FusionDesign
from nas_fusion.errors import TrainingError
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace
from nas_fusion.statistics import difference_error
from nas_fusion.strategy.abilities import ClosesByMeasure
from nas_fusion.training import evaluate_auc


@dataclass
class MeasuredClosing:
    """Which connections of one supernet are closed, and what was measured for it.

    Args:
        strategy: whose supernet was trained.
        supernet: that one.
        supernet_auc: of the supernet on the validation rows.
        task: of the search.

    Attributes:
        auc: of the supernet as it was left.
        passes: over the validation rows.
    """

    strategy: ClosesByMeasure
    supernet: FusionSpace
    supernet_auc: float
    task: SearchTask
    auc: float = math.nan
    passes: int = 0
    closed: int = 0
    lost: dict[Connection, float] = field(default_factory=dict)
    _open: tuple[Connection, ...] = ()
    _slowest: float = 0.0

    def close(self) -> list[Connection]:
        """Close what is not missed; the connections that were."""
        self.auc = self.supernet_auc
        scores = self.strategy.open_connections()
        self._open = tuple(scores)
        # Halving takes so many passes at most; what is left is for single connections.
        alone = self.strategy.measured_closings - math.ceil(math.log2(len(scores) + 1))
        for connection in sorted(scores, key=lambda c: scores[c])[: max(alone, 0)]:
            if not self._has_room():
                break
            self.lost[connection] = self.supernet_auc - self._auc_without([connection])
        found = self._most([c for c in sorted(self.lost, key=lambda c: self.lost[c]) if self._is_free(self.lost[c])])
        self.strategy.close_alone(found)
        self.closed = len(found)
        return found

    def told(self) -> dict[str, Any]:
        """For a search's details: how many were closed, and the supernet's validation AUC before and after."""
        return {"connections": self.closed, "before": self.supernet_auc, "after": self.auc}

    def _most(self, order: list[Connection]) -> list[Connection]:
        """The longest beginning of a list that is free; one is taken to be free where a longer one is."""
        low, high = 0, len(order)
        while low < high and self._has_room():
            middle = (low + high + 1) // 2
            auc = self._auc_without(order[:middle])
            if self._is_free(self.supernet_auc - auc):
                low, self.auc = middle, auc
            else:
                high = middle - 1
        return order[:low]

    def _is_free(self, lost: float) -> bool:
        valid = self.task.data.valid
        return lost <= difference_error(self.supernet_auc, valid.positives, len(valid) - valid.positives)

    def _auc_without(self, closed: Collection[Connection]) -> float:
        """The supernet's validation AUC without some connections; -inf where it is not finite, or no design is left."""
        if not self._leaves_a_design(closed):
            return -math.inf
        start = self.task.watch.now()
        self.strategy.close_alone(closed)
        try:
            return evaluate_auc(self.supernet, self.task.data.valid, self.task.config)
        except TrainingError:
            return -math.inf
        finally:
            self.passes += 1
            self._slowest = max(self._slowest, self.task.watch.now() - start)

    def _leaves_a_design(self, closed: Collection[Connection]) -> bool:
        left = [connection for connection in self._open if connection not in closed]
        # By sums, since whether a design is legal does not depend on its operations.
        return FusionDesign.build(self.supernet.levels, left, "add").is_legal

    def _has_room(self) -> bool:
        watch = self.task.watch
        return watch.limit is None or watch.left > self._slowest
