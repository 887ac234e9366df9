"""Which cells did not learn: their model knows nothing, where others of the same comparison do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nas_fusion.statistics import CHANCE, chance_margin

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

AT_CHANCE = "at_chance"
"""What the web UI and the dashboard call it of a single trial: more cannot be said before others have ended."""


class Margins(NamedTuple):
    """How far above .5 the AUC of a model that knows nothing may lie, on the validation and on the test rows."""

    valid: float
    test: float

    @classmethod
    def of(cls, rows: tuple[int, int, int], label_rate: float) -> Margins:
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
