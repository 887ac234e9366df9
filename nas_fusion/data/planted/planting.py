"""Drawing a teacher's weights, block by block, so that each connection and each operation matters.

Every block is standardised on a reference sample as soon as it is drawn. Three rules make a teacher that can be learnt
from few rows, and not by any model:

- Its values have *traits*, hidden numbers of about -1 or 1 whose mean over the rows is zero: main effects are small.
- Its linear maps are *turns*: each feature takes one trait, of another field in every map. A product of blocks is then
  a sum of products of traits of different fields.
- What a product multiplies has a mean of `Teacher.factor_mean` deviations: lower orders show the way to higher ones.
  With a mean of zero nothing learns such a log, whatever its design; a large mean makes it one of main effects.
"""

from __future__ import annotations

import numpy as np

from nas_fusion.data.planted.teacher_network import HEAD, TABLE, FloatArray, IntArray, TeacherNetwork
from nas_fusion.data.planted.teachers import Teacher
from nas_fusion.design import EMBEDDING, OUTPUT, candidate_sources

PARAMETERS, REFERENCE = 0, 1
"""Names of the streams of random numbers under one seed."""

REFERENCE_ROWS = 1 << 15
"""Rows on which blocks are standardised."""

SPREAD = 2.0
"""Standard deviation of the logit: the attainable AUC is about .85."""

BIAS = -0.5
"""Mean of the logit: about 42 % clicks."""

SHARPNESS = 3.0
"""Standard deviation of the scores of an attention: it chooses a few features."""

SIGN_DRAWS = 2000
"""Draws of the signs of a field's traits, of which the one that is balanced best is taken."""


def zipf(values: int, exponent: float) -> FloatArray:
    """The frequencies of a field's values, the most frequent first; they sum to 1."""
    weights = 1.0 / np.arange(1, values + 1) ** exponent
    return np.asarray(weights / weights.sum())


def draw_ids(rng: np.random.Generator, frequencies: FloatArray, rows: int, fields: int) -> IntArray:
    """Values ``[rows, field]``, of all fields alike; value v is the (v+1)-th most frequent one."""
    cumulative = np.cumsum(frequencies)
    cumulative[-1] = 1.0
    return np.searchsorted(cumulative, rng.random((rows, fields)), side="right").astype(np.int64)


def plant(teacher: Teacher, seed: int, exponent: float) -> TeacherNetwork:
    """The teacher's network of a seed, for values with the frequencies `zipf` of an exponent."""
    return _Planting(teacher, seed, exponent).network()


class _Planting:
    def __init__(self, teacher: Teacher, seed: int, exponent: float) -> None:
        self._rng = np.random.default_rng([seed, PARAMETERS])
        self._teacher, self._design, self._traits = teacher, teacher.design, teacher.traits
        self._width = teacher.fields * teacher.traits
        self._frequencies = zipf(teacher.values, exponent)
        self._network = TeacherNetwork(teacher.design, (teacher.values,) * teacher.fields)
        self._weights = self._network.weights
        self._turns = 0
        reference = np.random.default_rng([seed, REFERENCE])
        self._ids = draw_ids(reference, self._frequencies, REFERENCE_ROWS, teacher.fields)

    def network(self) -> TeacherNetwork:
        """Draw all weights, in the order of the computation."""
        self._weights[TABLE] = np.concatenate([self._field_traits() for _ in self._network.sizes])
        embedding = self._network.embedding(self._ids)
        outputs = {EMBEDDING: embedding}
        for block in self._design.live_blocks()[1:]:
            self._draw_node(block, outputs)
            fused = self._network.fused(block, outputs)
            if block == OUTPUT:
                self._draw_head(fused)
                break
            draw = self._draw_cross if block.startswith("cross") else self._draw_deep
            draw(block, fused, embedding)
            outputs[block] = self._network.output(block, fused, embedding)
        return self._network

    def _field_traits(self) -> FloatArray:
        """Of one field, ``[value, trait]``: signs, balanced as well as may be, then centred to a variance of 1."""
        values = len(self._frequencies)
        columns = []
        for _ in range(self._traits):
            signs = self._rng.choice([-1.0, 1.0], size=(SIGN_DRAWS, values))
            columns.append(signs[np.argmin(np.abs(signs @ self._frequencies))])
        traits = np.stack(columns, axis=1)
        traits -= self._frequencies @ traits
        return np.asarray(traits / np.sqrt(self._frequencies @ traits**2))

    def _draw_node(self, block: str, outputs: dict[str, FloatArray]) -> None:
        operation = None if block == "cross0" else self._design.operation(block)
        if operation == "concat":
            self._draw_concat(block, outputs)
        elif operation == "attention":
            self._draw_attention(block, outputs)

    def _draw_concat(self, block: str, outputs: dict[str, FloatArray]) -> None:
        width, candidates = self._width, candidate_sources(block, self._design.levels)
        weight = np.zeros((width, len(candidates) * width))
        for source in self._design.sources(block):
            first = candidates.index(source) * width
            turn = self._turn()
            weight[:, first : first + width] = turn / (outputs[source] @ turn.T).std(axis=0)[:, None]
        bias = np.zeros(width)
        self._set_linear(f"nodes.{block}.operations.concat.linear", weight, bias)
        self._weights[f"nodes.{block}.operations.concat.linear.bias"] = -self._network.fused(block, outputs).mean(
            axis=0
        )

    def _draw_attention(self, block: str, outputs: dict[str, FloatArray]) -> None:
        width, candidates = self._width, candidate_sources(block, self._design.levels)
        hidden_weight = np.zeros((len(candidates), width, width))
        score_weight = np.zeros_like(hidden_weight)
        for j in self._network.places(block):
            hidden_weight[j] = self._turn()
            hidden = np.maximum(outputs[candidates[j]] @ hidden_weight[j].T, 0.0)
            scores = self._rng.normal(size=(width, width))
            score_weight[j] = scores * SHARPNESS / (hidden @ scores.T).std()
        prefix = f"nodes.{block}.operations.attention"
        self._weights[f"{prefix}.hidden_weight"] = hidden_weight
        self._weights[f"{prefix}.hidden_bias"] = np.zeros((len(candidates), width))
        self._weights[f"{prefix}.score_weight"] = score_weight

    def _draw_cross(self, block: str, fused: FloatArray, embedding: FloatArray) -> None:
        weight = self._rng.normal(size=self._width)
        weight *= self._teacher.cross / (fused @ weight).std()
        crossed = (fused @ weight)[:, None] * embedding + fused
        self._weights[f"blocks.{block}.weight.weight"] = weight[None]
        mean = self._teacher.factor_mean * crossed.std(axis=0) if self._is_factor(block) else 0.0
        self._weights[f"blocks.{block}.bias"] = mean - crossed.mean(axis=0)

    def _draw_deep(self, block: str, fused: FloatArray, _embedding: FloatArray) -> None:
        turn = self._turn()
        linear = fused @ turn.T
        turn /= linear.std(axis=0)[:, None]
        # Half of the rows pass the ReLU, or about two thirds where the mean of the factors counts.
        bias = self._teacher.factor_mean * self._is_factor(block) - (linear / linear.std(axis=0)).mean(axis=0)
        self._set_linear(f"blocks.{block}.linear", turn, bias)

    def _draw_head(self, fused: FloatArray) -> None:
        weight = self._rng.choice([-1.0, 1.0], size=self._width) / fused.std(axis=0)
        weight *= SPREAD / (fused @ weight).std()
        self._set_linear(HEAD, weight[None], np.array([BIAS - (fused @ weight).mean()]))

    def _set_linear(self, prefix: str, weight: FloatArray, bias: FloatArray) -> None:
        self._weights[f"{prefix}.weight"], self._weights[f"{prefix}.bias"] = weight, bias

    def _is_factor(self, block: str) -> bool:
        readers = [t for s, t in self._design.connections if s == block]
        return any(self._design.operation(t) == "product" for t in readers)

    def _turn(self) -> FloatArray:
        """A linear map ``[D, D]`` of one feature each, some fields further on than the last map's; random signs."""
        self._turns += 1
        step = (2 * self._turns - 1) * self._traits
        features = np.arange(self._width)
        turn = np.zeros((self._width, self._width))
        turn[features, (features + step) % self._width] = self._rng.choice([-1.0, 1.0], size=self._width)
        return turn
