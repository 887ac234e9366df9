"""A synthetic click log whose true click probabilities are known, so that the best attainable AUC is known too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nas_fusion.errors import OptionError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DEFAULT_ROWS = 26_000
"""20,800 of them for training, 40 steps of 512 an epoch: every strategy with three seeds ends within minutes."""

DEFAULT_FIELDS = 10
BLOCK_ROWS = 1 << 16
"""Rows drawn from one stream of random numbers: block b of a log is the same however long the log is."""

SMALLEST, LARGEST = 10, 1000
"""Numbers of values of the first and the last field; the others lie between them geometrically."""

ZIPF = 1.6
"""Exponent of the values' frequencies; most of the mass of 100,000 rows then lies in often seen values."""

INTERACTING = 6
"""Fields whose values have a hidden trait and so interact: the small ones, whose values are all seen often. Values of
the larger fields have a main effect only."""

HIDDEN = 4
"""Units of the part that only a deep block can learn."""

WEIGHTS = {"main": 0.9, "pairs": 1.1, "triple": 0.7, "deep": 0.7}
"""The parts' standard deviations, relative to each other."""

SPREAD = 1.7
"""Standard deviation of the logit. Tuned together with the above, over seeds 0 to 3: the best attainable AUC is about
.84; logistic regression, which sees main effects only, reaches .74 to .77; a network of an embedding of 8 and two dense
layers of 64 comes 95 % of the way from .5 to the best within 8 epochs."""

BIAS = -0.8
"""About 37 % clicks: balanced enough that AUC estimates on a few thousand test rows are sharp."""

PARAMETERS, REFERENCE, ROWS = 0, 1, 2
"""Names of the streams of random numbers under one seed."""


@dataclass(frozen=True)
class ClickModel:
    """The true model: logit = bias + main effects + pairwise products + a triple product + a small deep network.

    Products and deep part are of the values' traits, hidden numbers of -1 or 1.

    Args:
        sizes: number of values per field.
        frequencies: per field, the cumulative frequencies of its values.
        main: per field, the effect of each value.
        traits: per interacting field, the trait of each value.
        pairs: the pairs of fields whose traits are multiplied.
        triple: the three fields of the triple product.
        hidden: weights of the deep part, ``[interacting fields, HIDDEN]``.
        out: the deep part's output weights, ``[HIDDEN]``.
        centre: mean of each part, subtracted.
        scale: what each part is multiplied by.
    """

    sizes: tuple[int, ...]
    frequencies: tuple[FloatArray, ...]
    main: tuple[FloatArray, ...]
    traits: tuple[FloatArray, ...]
    pairs: tuple[tuple[int, int], ...]
    triple: tuple[int, int, int]
    hidden: FloatArray
    out: FloatArray
    centre: FloatArray
    scale: FloatArray

    def draw_ids(self, rng: np.random.Generator, rows: int) -> IntArray:
        """Draw values, ``[rows, fields]``; value v of a field is its (v+1)-th most frequent one."""
        columns = [np.searchsorted(f, rng.random(rows), side="right") for f in self.frequencies]
        return np.stack(columns, axis=1).astype(np.int64)

    def parts(self, ids: IntArray) -> FloatArray:
        """The four raw parts of the logit, ``[rows, 4]``."""
        z = np.stack([table[ids[:, f]] for f, table in enumerate(self.traits)], axis=1)
        main = sum((table[ids[:, f]] for f, table in enumerate(self.main)), np.zeros(len(ids)))
        pairs = sum((z[:, a] * z[:, b] for a, b in self.pairs), np.zeros(len(ids)))
        triple = z[:, self.triple].prod(axis=1)
        deep = np.maximum(np.sin(z @ self.hidden), 0.0) @ self.out
        return np.stack([main, pairs, triple, deep], axis=1)

    def probabilities(self, ids: IntArray) -> FloatArray:
        """The true click probability of every row."""
        logit = BIAS + ((self.parts(ids) - self.centre) * self.scale).sum(axis=1)
        return np.asarray(1.0 / (1.0 + np.exp(-logit)))


@lru_cache(maxsize=4)
def click_model(seed: int, fields: int = DEFAULT_FIELDS) -> ClickModel:
    """The true model of a seed.

    Raises:
        OptionError: fewer than three fields.
    """
    if fields < 3:
        raise OptionError("fields", "an integer of at least 3", fields)
    if seed < 0:
        raise OptionError("seed", "a non-negative integer", seed)
    rng = np.random.default_rng([seed, PARAMETERS])
    sizes = tuple(int(s) for s in np.geomspace(SMALLEST, LARGEST, fields).round())
    count = min(fields, INTERACTING)
    raw = ClickModel(
        sizes=sizes,
        frequencies=tuple(_zipf(size) for size in sizes),
        main=tuple(rng.normal(size=size) for size in sizes),
        traits=tuple(rng.choice([-1.0, 1.0], size=size) for size in sizes[:count]),
        pairs=tuple((f, count - 1 - f) for f in range(count // 2)),
        triple=(0, count // 3, count // 2) if count > 3 else (0, 1, 2),
        hidden=rng.normal(size=(count, HIDDEN)) * 2.0 / np.sqrt(count),
        out=rng.choice([-1.0, 1.0], size=HIDDEN),
        centre=np.zeros(4),
        scale=np.ones(4),
    )
    # Shares are set on a reference sample of the model's own, so that they do not depend on the log's length.
    parts = raw.parts(raw.draw_ids(np.random.default_rng([seed, REFERENCE]), BLOCK_ROWS))
    spread = parts.std(axis=0)
    scale = np.array(list(WEIGHTS.values())) / np.where(spread > 0, spread, np.inf)
    scale *= SPREAD / (parts @ scale).std()
    return ClickModel(**{**vars(raw), "centre": parts.mean(axis=0), "scale": scale})


def _zipf(size: int) -> FloatArray:
    weights = 1.0 / np.arange(1, size + 1) ** ZIPF
    cumulative = np.cumsum(weights / weights.sum())
    cumulative[-1] = 1.0
    return np.asarray(cumulative)


def synthetic_blocks(rows: int, seed: int, fields: int) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield (ids ``[block, fields]``, clicks ``[block]``, true probabilities ``[block]``), block by block."""
    if rows < 1:
        raise OptionError("rows", "a positive integer", rows)
    model = click_model(seed, fields)
    for block, start in enumerate(range(0, rows, BLOCK_ROWS)):
        rng = np.random.default_rng([seed, ROWS, block])
        count = min(BLOCK_ROWS, rows - start)
        ids = model.draw_ids(rng, BLOCK_ROWS)
        chance = rng.random(BLOCK_ROWS)[:count]
        probabilities = model.probabilities(ids[:count])
        yield ids[:count], (chance < probabilities).astype(np.int64), probabilities


def column_names(fields: int) -> tuple[str, ...]:
    """The columns of the log, label first."""
    return ("click", *(f"field{f}" for f in range(1, fields + 1)))


def synthetic_log(
    rows: int = DEFAULT_ROWS, seed: int = 0, fields: int = DEFAULT_FIELDS
) -> tuple[dict[str, IntArray], FloatArray]:
    """Draw a click log and the true probability of a click in every row.

    Args:
        rows: number of rows.
        seed: the same seed gives the same log; a shorter log is the beginning of a longer one.
        fields: number of fields.

    Returns:
        The columns ``click``, ``field1``, ``field2``, … (integers), and the probabilities ``[rows]``.

    Raises:
        OptionError: a size that is too small.
    """
    blocks = list(synthetic_blocks(rows, seed, fields))
    ids = np.concatenate([b[0] for b in blocks])
    clicks = np.concatenate([b[1] for b in blocks])
    columns = dict(zip(column_names(fields), [clicks, *ids.T], strict=True))
    return columns, np.concatenate([b[2] for b in blocks])
