"""The front of a search: the candidates that no other is at least as good and as cheap as; and the choice among them.

Handed on is the cheapest candidate of the front that cannot be told from the best one on the validation rows: it is
behind by no more than one standard error of the difference, by pairs of rows (`nas_fusion.statistics.rows_error`:
DeLong's for an AUC), or by less AUC than any verdict would call a difference. That is the usual rule of parsimony
(Breiman et al., *Classification and Regression Trees*, 1984, section 3.4.3), the same by which a report says what to
take. The error is that of the rows alone: it does not know how much another seed would change either.

Logits of the validation rows are held for the front as it is, four bytes a row and candidate, and for no other
candidate: one that leaves the front never comes back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from nas_fusion.architecture import Found
from nas_fusion.data import EncodedSplit
from nas_fusion.search.front.design_costs import Costs, CostsOf
from nas_fusion.statistics import SMALLEST_DIFFERENCE, Sample, rows_error
from nas_fusion.training import Predictions, Rank
from nas_fusion.training.quality import FloatArray, samples_of

FRONT, PREFER = "front", "prefer"
"""In a search's details: the points of its front, as plain values; and by which preference it chose among them, where
it did."""


@dataclass(frozen=True)
class FrontPoint:
    """A design on the front of a search.

    Args:
        design: in words.
        valid_auc: while searching: after a candidate's training, or with a supernet's weights; None where it is
            unknown.
        multiply_adds, parameters: of its model, re-trained hard.
        behind: how far it is behind the best candidate in what validation chooses by; None of a search with one design.
        error: standard error of that difference, by pairs of validation rows; None where the predictions are not known.
        chosen: whether the search handed it on.
        content: the design, so that it can be made again.
    """

    design: str
    valid_auc: float | None
    multiply_adds: float
    parameters: float
    behind: float | None
    error: float | None
    chosen: bool
    content: dict[str, Any]

    @classmethod
    def alone(cls, design: Found, valid_auc: float | None, costs: Costs) -> FrontPoint:
        """The front of a search with a single design."""
        return cls(str(design), valid_auc, *costs, None, None, chosen=True, content=json.loads(design.to_json()))


class Candidate(NamedTuple):
    """What is known of a candidate: its design, how good it was, what its model costs, and its logits, if at hand."""

    design: Found
    valid_auc: float
    rank: Rank
    costs: Costs
    valid_logits: FloatArray | None = None

    def leaves_nothing_to(self, other: Candidate) -> bool:
        """Whether it is at least as good and as cheap."""
        return self.rank >= other.rank and self.costs.within(other.costs)


class CandidateFront:
    """Grows candidate by candidate.

    Args:
        costs_of: what designs cost.
        select: by what validation chooses, one of `nas_fusion.bounds.SELECTIONS`.
        valid: the validation rows.

    Attributes:
        candidates: of the front, in the order in which they came.
    """

    def __init__(self, costs_of: CostsOf, select: str, valid: EncodedSplit) -> None:
        self._costs_of, self._select, self._valid = costs_of, select, valid
        self.candidates: list[Candidate] = []
        self._first_best: Candidate | None = None

    def add(self, design: Found, valid_auc: float, rank: Rank, valid_logits: FloatArray | None = None) -> None:
        """Look at a candidate; of candidates that are equally good and cheap the first one stays.

        Args:
            design: its.
            valid_auc: its.
            rank: how good it is by what validation chooses by; one that is not finite is not looked at.
            valid_logits: of the validation rows, in their order ``[rows]``; None where they are not at hand.
        """
        if not math.isfinite(rank.score):
            return
        new = Candidate(design, valid_auc, rank, self._costs_of(design), valid_logits)
        if self._first_best is None or rank > self._first_best.rank:
            self._first_best = new._replace(valid_logits=None)
        if not any(one.leaves_nothing_to(new) for one in self.candidates):
            self.candidates = [one for one in self.candidates if not new.leaves_nothing_to(one)] + [new]

    def choose(self, prefer: str) -> tuple[Found, list[FrontPoint]]:
        """What is handed on, and the front, cheapest first.

        Args:
            prefer: one of `nas_fusion.bounds.PREFERENCES`.
        """
        best = self._best
        errors = self._errors(best)
        chosen = self._handed_on(best, errors, prefer)
        points = [
            replace(
                FrontPoint.alone(one.design, one.valid_auc, one.costs),
                behind=self._behind(best, one),
                error=error,
                chosen=one.design == chosen.design,
            )
            for one, error in zip(self.candidates, errors, strict=True)
        ]
        return chosen.design, sorted(points, key=lambda point: (point.multiply_adds, point.parameters))

    def handed_on(self, prefer: str) -> Candidate:
        """What `choose` chooses, without the front."""
        return self._handed_on(self._best, self._errors(self._best), prefer)

    @property
    def _best(self) -> Candidate:
        return max(self.candidates, key=lambda one: one.rank)

    def _handed_on(self, best: Candidate, errors: Sequence[float | None], prefer: str) -> Candidate:
        if prefer == "best":  # of equals the first, whatever it costs
            return self._first_best or best
        pairs = zip(self.candidates, errors, strict=True)
        return cheapest([one for one, error in pairs if is_tied(self._behind(best, one), error, self._select)])

    def _behind(self, best: Candidate, one: Candidate) -> float:
        return best.rank.score - one.rank.score

    def _errors(self, best: Candidate) -> list[float | None]:
        own = self._samples(best) if len(self.candidates) > 1 else None
        return [None if one is best else self._error(own, one) for one in self.candidates]

    def _error(self, best: Sequence[Sample] | None, one: Candidate) -> float | None:
        other = None if best is None else self._samples(one)
        if best is None or other is None:
            return None
        error = rows_error(best, other)
        return error if math.isfinite(error) else None

    def _samples(self, one: Candidate) -> list[Sample] | None:
        if one.valid_logits is None:
            return None
        valid = self._valid
        return samples_of(self._select, Predictions.of(one.valid_logits, valid.labels, valid.weights, valid.groups))


def is_tied(behind: float, error: float | None, select: str) -> bool:
    """Whether a candidate cannot be told from the best one.

    Args:
        behind: how far it is behind, at least 0.
        error: standard error of that; None where it is not known.
        select: what is compared.
    """
    smallest = 0.0 if select == "logloss" else SMALLEST_DIFFERENCE
    return behind <= max(smallest, error or 0.0)


def cheapest(candidates: Sequence[Candidate]) -> Candidate:
    """By multiply-adds, then by weights; of equals the best, and then the first."""
    return min(candidates, key=lambda one: (*one.costs, -one.rank.score))


def marked(points: Sequence[FrontPoint], design: Found) -> list[FrontPoint]:
    """The points with a design as the one that was chosen; none of them is, where it is not on the front."""
    content = json.loads(design.to_json())
    return [replace(point, chosen=point.content == content) for point in points]


def front_details(points: Sequence[FrontPoint], prefer: str | None = None) -> dict[str, Any]:
    """The front for a search's details, as plain values.

    Args:
        points: of the front.
        prefer: by which preference one of them was chosen; None where it was not.
    """
    return {FRONT: [asdict(point) for point in points], **({} if prefer is None else {PREFER: prefer})}
