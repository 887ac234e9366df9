"""The set of designs that a space holds, without any weights: size, sampling, mutation, enumeration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod

import numpy as np

from nas_fusion.bounds import LEVELS
from nas_fusion.design import OPERATIONS, Connection, FusionDesign, candidate_connections, fused_blocks, variant_blocks
from nas_fusion.errors import DesignError, OptionError
from nas_fusion.measures import Limits
from nas_fusion.search_spaces.fusion.design_repair import Scores, make_affordable

MAX_REFUSED = 200
"""Draws above the limits before one is made affordable: limits may leave less than one design in a million."""


@dataclass(frozen=True)
class DesignSet:
    """All legal designs of `levels` levels over some operations.

    Args:
        levels: number of levels L ≥ 1.
        operations: names of the operations that every fused block may choose from.
        limits: on what a design may cost; designs above them do not belong to the set.
        shallow, deep: names of what may stand in the place of a shallow and of a deep block; both empty in a space that
            leaves no choice.

    Raises:
        OptionError: names are missing or twice there.
    """

    levels: int
    operations: Sequence[str] = OPERATIONS
    limits: Limits | None = field(default=None, hash=False)
    shallow: Sequence[str] = ()
    deep: Sequence[str] = ()

    def __post_init__(self) -> None:
        LEVELS.check("levels", self.levels)
        for name in ("shallow", "deep"):
            given = tuple(getattr(self, name))
            if len(set(given)) != len(given) or bool(self.shallow) != bool(self.deep):
                raise OptionError(f"variants of {name} blocks", "different names, for both kinds or for none", given)
            object.__setattr__(self, name, given)
        if not self.operations or len(set(self.operations)) != len(self.operations):
            raise OptionError("operations", "a non-empty sequence of different names", tuple(self.operations))
        object.__setattr__(self, "operations", tuple(self.operations))

    @property
    def size(self) -> int:
        """Number of designs before legality: ``2^(2L² + 4L + 3) · operations^(2L + 1)``.

        With variants, times ``shallow^(L + 1) · deep^L``.
        """
        connections, blocks = len(candidate_connections(self.levels)), len(fused_blocks(self.levels))
        return (1 << connections) * len(self.operations) ** blocks * prod(map(len, self._variants.values()))

    @property
    def has_variants(self) -> bool:
        """Whether a design says what stands in the blocks' places."""
        return bool(self.shallow)

    def variants_of(self, block: str) -> Sequence[str]:
        """What may stand in a block's place; empty where there is no choice."""
        return self.deep if block.startswith("deep") else self.shallow

    @property
    def _variants(self) -> dict[str, Sequence[str]]:
        return {b: self.variants_of(b) for b in variant_blocks(self.levels)} if self.has_variants else {}

    def build(
        self, connections: Iterable[Connection], operations: Mapping[str, str] | str, variants: Mapping[str, str] = {}
    ) -> FusionDesign:
        """A design of this set's levels; blocks whose variant is not named have the first one, where there are any."""
        chosen = {block: variants.get(block, names[0]) for block, names in self._variants.items()}
        return FusionDesign.build(self.levels, connections, operations, chosen)

    @property
    def unlimited(self) -> DesignSet:
        """The set without its limits: what can be built, where limits say what may be found."""
        return replace(self, limits=None)

    def problem(self, design: FusionDesign) -> str | None:
        """Why `design` does not belong to the set, or None."""
        problem = self.unknown_choice(design) or design.problem()
        return problem or (self.limits.problem(design) if self.limits else None)

    def unknown_choice(self, design: FusionDesign) -> str | None:
        """Which choice of a design, legal or not, the set does not have, or None."""
        if design.levels != self.levels:
            return f"it has {design.levels} levels, the space has {self.levels}"
        for block, operation in design.operations:
            if operation not in self.operations:
                return f"{block} merges by {operation!r}, the space knows {', '.join(self.operations)}"
        if self.has_variants and not design.variants:
            known = ", ".join((*self.shallow, *self.deep))
            return f"it does not say what stands in its blocks' places, for which the space has {known}"
        for block, variant in design.variants:
            names = self.variants_of(block)
            if variant not in names:
                return f"{block} is {variant!r}, the space knows {', '.join(names) or 'one module for every place'}"
        return None

    def check(self, design: FusionDesign) -> FusionDesign:
        """Return `design` if it belongs to the set.

        Raises:
            DesignError: it does not, saying why.
        """
        problem = self.problem(design)
        if problem:
            raise DesignError(f"not a design of this space: {problem}")
        return design

    def sample(self, rng: np.random.Generator | int) -> FusionDesign:
        """Draw a legal design. An integer is a seed.

        Uniformly; where limits refuse `MAX_REFUSED` designs in a row, the next one is made affordable with random
        scores.
        """
        rng = np.random.default_rng(rng)
        refused = 0
        while True:
            is_open = rng.integers(0, 2, len(candidate_connections(self.levels))).astype(bool)
            operations = rng.integers(0, len(self.operations), len(fused_blocks(self.levels)))
            design = self._build(is_open, operations, [int(rng.integers(len(v))) for v in self._variants.values()])
            # Drawing again keeps the draw uniform over the legal designs; repairing would favour some.
            if not design.is_legal:
                continue
            if self.limits is None or not self.limits.excess(design):
                return design
            refused += 1
            if refused > MAX_REFUSED:
                return make_affordable(design, self._random_scores(rng), self.limits)

    def mutate(self, design: FusionDesign, rng: np.random.Generator | int, probability: float = 0.05) -> FusionDesign:
        """A legal design in which every choice was drawn anew with some probability, and at least one changed.

        Args:
            design: a member of this set.
            rng: source of randomness, or a seed.
            probability: of drawing one choice anew, in (0, 1].
        """
        if not 0 < probability <= 1:
            raise OptionError("probability", "in (0, 1]", probability)
        self.check(design)
        rng = np.random.default_rng(rng)
        present = set(design.connections)
        is_open = np.array([c in present for c in candidate_connections(self.levels)])
        operations = np.array([self.operations.index(op) for _, op in design.operations])
        variants = [self.variants_of(block).index(variant) for block, variant in design.variants]
        while True:
            # Drawn anew, not flipped: half of the redrawn connections come out as they were.
            new_open = np.where(rng.random(len(is_open)) < probability, rng.integers(0, 2, len(is_open)), is_open)
            new_operations = np.where(
                rng.random(len(operations)) < probability,
                rng.integers(0, len(self.operations), len(operations)),
                operations,
            )
            new_variants = [
                int(rng.integers(len(names))) if rng.random() < probability else variant
                for variant, names in zip(variants, self._variants.values(), strict=True)
            ]
            mutated = self._build(new_open.astype(bool), new_operations, new_variants)
            if mutated != design and self.problem(mutated) is None:
                return mutated

    def change(self, design: FusionDesign, rng: np.random.Generator | int) -> FusionDesign:
        """A legal design that differs in one choice that matters: an input, operation or variant of a live block.

        A third of the changes is of a variant where there are any; half of the others are of a connection, half of an
        operation, where there is another one to choose.
        """
        self.check(design)
        rng = np.random.default_rng(rng)
        while True:
            changed = self._with_one_change(design, rng)
            if self.problem(changed) is None and changed.pruned() != design.pruned():
                return changed

    def _with_one_change(self, design: FusionDesign, rng: np.random.Generator) -> FusionDesign:
        live = design.live_blocks()
        if self.has_variants and rng.random() < 1 / 3:
            return self._with_another(design, rng, [b for b in live if b in self._variants], dict(design.variants))
        if len(self.operations) > 1 and rng.random() < 0.5:
            operations = dict(design.operations)
            block = str(rng.choice([b for b in live if b in operations]))
            other = str(rng.choice([o for o in self.operations if o != operations[block]]))
            return design.changed(operations={block: other})
        candidates = candidate_connections(self.levels)
        return design.changed(connections={*design.connections} ^ {candidates[int(rng.integers(len(candidates)))]})

    def _with_another(
        self, design: FusionDesign, rng: np.random.Generator, blocks: Sequence[str], variants: Mapping[str, str]
    ) -> FusionDesign:
        """With another variant of one of `blocks`; the design itself where there is none."""
        others = [(b, v) for b in blocks for v in self.variants_of(b) if v != variants[b]]
        if not others:
            return design
        block, variant = others[int(rng.integers(len(others)))]
        return design.changed(variants={block: variant})

    def __iter__(self) -> Iterator[FusionDesign]:
        """Every legal design, in a fixed order; meant for small sets."""
        connections, blocks = candidate_connections(self.levels), fused_blocks(self.levels)
        for is_open in product((True, False), repeat=len(connections)):
            for operations in product(range(len(self.operations)), repeat=len(blocks)):
                for variants in product(*(range(len(names)) for names in self._variants.values())):
                    design = self._build(np.array(is_open), np.array(operations), variants)
                    if self.problem(design) is None:
                        yield design

    def _random_scores(self, rng: np.random.Generator) -> Scores:
        connections, blocks = candidate_connections(self.levels), fused_blocks(self.levels)
        # Without any preference: which way a design is cut back is left to chance and to what parts cost.
        drawn = rng.normal(size=len(connections)).tolist()
        shares = {b: rng.random(len(self.operations)).tolist() for b in blocks}
        operations = {b: dict(zip(self.operations, share, strict=True)) for b, share in shares.items()}
        variants = {b: dict(zip(v, rng.random(len(v)).tolist(), strict=True)) for b, v in self._variants.items()}
        return Scores(dict(zip(connections, drawn, strict=True)), operations, variants)

    def _build(self, is_open: np.ndarray, operations: np.ndarray, variants: Sequence[int]) -> FusionDesign:
        connections = [c for c, keep in zip(candidate_connections(self.levels), is_open, strict=True) if keep]
        names = {b: self.operations[o] for b, o in zip(fused_blocks(self.levels), operations, strict=True)}
        chosen = {b: known[v] for (b, known), v in zip(self._variants.items(), variants, strict=True)}
        return FusionDesign.build(self.levels, connections, names, chosen)
