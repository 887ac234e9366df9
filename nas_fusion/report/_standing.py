"""The strategy with which all others are compared, why that one, and how they stand against it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from nas_fusion.statistics import PairedComparison

How = Literal["beforehand", "afterwards", "chosen"]
"""Named before there were results, named when there were some, or chosen by validation."""


class Standings(NamedTuple):
    """The comparisons of the test AUC with one strategy.

    `reference`: that strategy; `how`: why that one. `against`: by strategy; the reference itself is missing.
    `chosen_from`: the strategies among which the reference may have been chosen by its runs, which the correction
    takes into account; None where nobody can have chosen it.
    """

    reference: str
    how: How
    against: dict[str, PairedComparison]
    chosen_from: tuple[str, ...] | None

    @property
    def why(self) -> str:
        """Why it is the reference: a few words for brackets."""
        return {
            "beforehand": "named for it",
            "afterwards": "named when there were results",
            "chosen": "chosen by validation",
        }[self.how]

    @property
    def correction(self) -> str:
        """What the corrected p-values are corrected for."""
        if self.chosen_from is None:
            return "for the number of comparisons"
        whom = "any strategy" if self.how == "afterwards" else "the reference by its runs"
        return f"for the number of comparisons and for the choice of {whom}"
