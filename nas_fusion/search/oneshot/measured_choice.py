"""Deriving by measurement: of the designs near the derived one, validation rows choose, with the supernet's weights.

What an operation is worth in a mixture says little about what it is worth alone: a supernet of AUC .73 may lead to a
design whose product leaves .62 of it. So the derived design is held against its neighbours, in *rings*, the most likely
remedy first: the next best operation of one block; then one of the connections of which the supernet is least sure the
other way round; and, where the design is still far below the supernet, any other operation of one block. The best of a
ring is taken where it is better by more than the noise, and the search goes on from there.

Where the task prefers the cheap, the cheapest of all that were measured and cannot be told from the best is taken in
the end.

Only validation rows are looked at, and nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nas_fusion.design import Connection, FusionDesign
from nas_fusion.search.front.candidate_front import CandidateFront, FrontPoint, marked
from nas_fusion.search.front.design_costs import costs_of_designs
from nas_fusion.search.oneshot.discretisation_gap import derived_figures, is_far_below
from nas_fusion.search.task import SearchTask
from nas_fusion.search_spaces import FusionSpace, Scores
from nas_fusion.statistics import difference_error
from nas_fusion.training import Rank

UNSURE_CONNECTIONS = 8
"""So many connections are turned round, those whose scores are nearest to the threshold."""


@dataclass
class MeasuredChoice:
    """Designs that are measured with the weights of one supernet, and the best of them.

    Args:
        supernet: after its training.
        scores: what it thinks of every choice.
        supernet_auc: its own on the validation rows; None where it has none.
        task: of the search.
        most: how many designs are measured at most.

    Attributes:
        measured: validation AUC by design, in the order in which they were measured; -inf where it is not finite.
        front: of these; a supernet's weights rank by AUC, whatever validation chooses by.
    """

    supernet: FusionSpace
    scores: Scores
    supernet_auc: float | None
    task: SearchTask
    most: int
    measured: dict[FusionDesign, float] = field(default_factory=dict)
    front: CandidateFront = field(init=False)
    _seen: set[FusionDesign] = field(default_factory=set)
    _slowest: float = 0.0

    def __post_init__(self) -> None:
        self.front = CandidateFront(costs_of_designs(self.task), "auc", self.task.data.valid)

    def choose(self, derived: FusionDesign) -> FusionDesign:
        """The best design near a derived one; itself where no neighbour is better by more than the noise."""
        self._measure([derived])
        best = derived if derived in self.measured else None
        while best is not None:
            better = next((found for ring in self._rings(best) if (found := self._better(best, ring))), None)
            if better is None:
                return best
            best = better
        return derived

    def choose_preferred(self, derived: FusionDesign) -> tuple[FusionDesign, list[FrontPoint]]:
        """What the task prefers of all that were measured near a derived design (`SearchTask.prefer`), and their front.

        ``best``: what `choose` finds; ``cheap``: the cheapest that validation rows cannot tell from the best of all.
        """
        found = self.choose(derived)
        if not self.front.candidates:
            return found, []
        with self.task.watch.paused():
            preferred, points = self.front.choose(self.task.prefer)
        if self.task.prefer == "best":  # of the front it is the first; by what was measured, perhaps by luck
            return found, marked(points, found)
        assert isinstance(preferred, FusionDesign), "nothing else is measured"
        return preferred, points

    def auc_of(self, design: FusionDesign) -> float | None:
        """Of a design; None where it was not measured, or is not finite."""
        auc = self.measured.get(design, -math.inf)
        return auc if math.isfinite(auc) else None

    @property
    def by_auc(self) -> list[FusionDesign]:
        """What was measured, best first; of equals the first."""
        return sorted(self.measured, key=lambda design: self.measured[design], reverse=True)

    @property
    def samples(self) -> int:
        """Validation rows that passed through a model."""
        return len(self.measured) * len(self.task.data.valid)

    def _rings(self, best: FusionDesign) -> Iterator[Iterator[FusionDesign]]:
        operations = self._other_operations(best)
        yield (designs[0] for designs in operations)
        yield self._turned_round(best)
        if is_far_below(self.supernet_auc, self.measured[best], self.task):
            yield (design for designs in operations for design in designs[1:])

    def _better(self, best: FusionDesign, ring: Iterator[FusionDesign]) -> FusionDesign | None:
        """The best of a ring, where it is better than the best so far by more than the noise."""
        found = max(self._measure(ring), key=lambda design: self.measured[design], default=None)
        before = self.measured[best]
        if found is None:
            return None
        return found if self.measured[found] > before + self._noise(before) else None

    def _measure(self, designs: Sequence[FusionDesign] | Iterator[FusionDesign]) -> list[FusionDesign]:
        """Measure designs as long as passes and seconds last; those that are no better than known ones are left out."""
        fresh = []
        for design in designs:
            if self.supernet.designs.problem(design) or design.pruned() in self._seen:
                continue
            if not self._has_room():
                break
            start = self.task.watch.now()
            found = derived_figures(self.supernet, design, self.task)
            self._slowest = max(self._slowest, self.task.watch.now() - start)
            self._seen.add(design.pruned())
            self.measured[design] = -math.inf if found is None else found.valid_auc
            if found is not None:
                self.front.add(design, found.valid_auc, Rank(found.valid_auc, 0.0), found.valid_logits)
            fresh.append(design)
        return fresh

    def _has_room(self) -> bool:
        watch = self.task.watch
        return len(self.measured) < self.most and (watch.limit is None or watch.left > self._slowest)

    def _noise(self, auc: float) -> float:
        valid = self.task.data.valid
        return difference_error(auc, valid.positives, len(valid) - valid.positives) if math.isfinite(auc) else 0.0

    def _other_operations(self, design: FusionDesign) -> list[list[FusionDesign]]:
        """For every live block the design with each other operation or variant, what the supernet prefers first."""
        live, changed = set(design.live_blocks()), []
        for block, operation in design.operations:
            others = _others(self.scores.operations.get(block, {}), operation)
            if block in live and others:
                changed.append([design.changed(operations={block: other}) for other in others])
        for block, variant in design.variants:
            others = _others(self.scores.variants.get(block, {}), variant)
            if block in live and others:
                changed.append([design.changed(variants={block: other}) for other in others])
        return changed

    def _turned_round(self, design: FusionDesign) -> Iterator[FusionDesign]:
        """The design with one connection into a live block turned round, those nearest to the threshold first."""
        live, scores = set(design.live_blocks()), self.scores.connections
        unsure = sorted((c for c in scores if c[1] in live), key=lambda c: abs(scores[c]))
        for connection in unsure[:UNSURE_CONNECTIONS]:
            yield _turned(design, connection)


def _others(scores: Mapping[str, float], chosen: str) -> list[str]:
    return sorted((name for name in scores if name != chosen), key=lambda name: scores[name], reverse=True)


def _turned(design: FusionDesign, connection: Connection) -> FusionDesign:
    return design.changed(connections={*design.connections} ^ {connection})
