"""`TeacherNetwork`: a design of the fusion space with weights, computed by numpy alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt

from nas_fusion.design import EMBEDDING, OUTPUT, Connection, FusionDesign, candidate_sources

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TABLE = "embedding.table.weight"
HEAD = "head"


@dataclass(frozen=True)
class TeacherNetwork:
    """The network of a design as `FusionSpace.derive` makes it, in float64 and without torch.

    The formulas are those of Zhang et al., WSDM 2025: cross ``(w·f) e + b + f``, deep ``ReLU(W f + b)``, output
    ``w·f + b``, and their fusion operations.

    Args:
        design: which blocks there are and how they merge their inputs.
        sizes: number of values per field.
        weights: by the names that a `FusionNetwork` with all candidate inputs has in its state dict; filled block by
            block while a teacher is planted.
    """

    design: FusionDesign
    sizes: tuple[int, ...]
    weights: dict[str, FloatArray] = field(default_factory=dict)

    def embedding(self, ids: IntArray) -> FloatArray:
        """The concatenated vectors of the values ``[rows, field]``: ``[rows, D]``."""
        first = np.cumsum((0, *self.sizes[:-1]))
        return self.weights[TABLE][ids + first].reshape(len(ids), -1)

    def fused(
        self,
        block: str,
        outputs: Mapping[str, FloatArray],
        closed: Collection[Connection] = (),
        operations: Mapping[str, str] | None = None,
    ) -> FloatArray:
        """What a block merges of the outputs before it, ``[rows, D]``; without any open input as a design says it.

        Args:
            block: one of the design's.
            outputs: of the blocks before it, ``[rows, D]`` each.
            closed: connections of the design that are closed here; weights stay as they are.
            operations: block → operation, where it is another one than the design's.
        """
        opened = [s for s in self.design.sources(block) if (s, block) not in closed]
        # Cross 0 has one input and no operation: a sum of one.
        designed = "add" if block == "cross0" else self.design.operation(block)
        operation = (operations or {}).get(block, designed)
        inputs = [outputs[s] for s in opened]
        if operation == "concat":
            return self._concat(block, opened, outputs)
        if not inputs:
            return np.zeros_like(outputs[EMBEDDING])
        if operation == "attention":
            return self._attention(block, opened, outputs)
        if operation == "residual-product":
            return reduce(lambda merged, z: merged + (1 + merged) * z, inputs)
        merge = np.add if operation == "add" else np.multiply
        return reduce(merge, inputs)

    def output(self, block: str, fused: FloatArray, embedding: FloatArray) -> FloatArray:
        """What a cross or a deep block makes of its fused input, both ``[rows, D]``."""
        prefix = f"blocks.{block}"
        if block.startswith("cross"):
            crossed = fused @ self.weights[f"{prefix}.weight.weight"][0]
            return crossed[:, None] * embedding + self.weights[f"{prefix}.bias"] + fused
        linear = fused @ self.weights[f"{prefix}.linear.weight"].T + self.weights[f"{prefix}.linear.bias"]
        return np.maximum(linear, 0.0)

    def logits(
        self, ids: IntArray, closed: Collection[Connection] = (), operations: Mapping[str, str] | None = None
    ) -> FloatArray:
        """The logit of every row of ids ``[rows, field]``; see `fused` for what may differ from the design.

        An operation that has weights can only stand where the design has it.
        """
        outputs = {EMBEDDING: self.embedding(ids)}
        for block in self.design.live_blocks()[1:]:
            merged = self.fused(block, outputs, closed, operations)
            outputs[block] = merged if block == OUTPUT else self.output(block, merged, outputs[EMBEDDING])
        return outputs[OUTPUT] @ self.weights[f"{HEAD}.weight"][0] + self.weights[f"{HEAD}.bias"][0]

    def places(self, block: str) -> tuple[int, ...]:
        """The positions of a block's open inputs among its candidates."""
        candidates = candidate_sources(block, self.design.levels)
        return tuple(candidates.index(s) for s in self.design.sources(block))

    def _concat(self, block: str, opened: Sequence[str], outputs: Mapping[str, FloatArray]) -> FloatArray:
        prefix = f"nodes.{block}.operations.concat.linear"
        weight, bias = self.weights[f"{prefix}.weight"], self.weights[f"{prefix}.bias"]
        width, candidates = len(bias), candidate_sources(block, self.design.levels)
        merged = np.zeros_like(outputs[EMBEDDING]) + bias
        for source in opened:
            first = candidates.index(source) * width
            merged += outputs[source] @ weight[:, first : first + width].T
        return merged

    def _attention(self, block: str, opened: Sequence[str], outputs: Mapping[str, FloatArray]) -> FloatArray:
        prefix = f"nodes.{block}.operations.attention"
        candidates = candidate_sources(block, self.design.levels)
        merged = np.zeros_like(outputs[EMBEDDING])
        for source in opened:
            j, z = candidates.index(source), outputs[source]
            hidden = z @ self.weights[f"{prefix}.hidden_weight"][j].T + self.weights[f"{prefix}.hidden_bias"][j]
            merged += softmax(np.maximum(hidden, 0.0) @ self.weights[f"{prefix}.score_weight"][j].T) * z
        return merged


def softmax(scores: FloatArray) -> FloatArray:
    """Over the features of ``[rows, D]``."""
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
