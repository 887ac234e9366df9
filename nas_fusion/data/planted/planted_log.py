"""`PlantedLog`: a click log whose best design is known, and how good it can be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nas_fusion import bounds
from nas_fusion.data.planted.planting import draw_ids, plant, zipf
from nas_fusion.data.planted.teacher_network import FloatArray, IntArray, TeacherNetwork
from nas_fusion.data.planted.teachers import TEACHERS, Teacher, levels_of
from nas_fusion.design import Connection, FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.settings import PLANTED

BLOCK_ROWS = 1 << 14
"""Rows drawn from one stream of random numbers: a shorter log is the beginning of a longer one."""

ROWS, TRUTH = 2, 3
"""Names of the streams of random numbers under one seed; `nas_fusion.data.planted.planting` has the first two."""

TRUTH_ROWS = 20_000
"""Rows whose ids stand for all possible rows where an AUC of the teacher is computed: it is exact to about .003."""

READ = {
    "rows": bounds.SYNTHETIC_ROWS,
    "seed": bounds.SEED,
    "noise": bounds.PLANTED_NOISE,
    "zipf": bounds.PLANTED_ZIPF,
}
"""What may stand behind the teacher, as NAME=VALUE."""


@dataclass(frozen=True)
class PlantedLog:
    """A log that is drawn from a teacher.

    Args:
        teacher: name of one of `TEACHERS`.
        rows: number of rows.
        seed: of the teacher's weights and of the rows.
        noise: share of the rows whose click is the toss of a coin.
        zipf: exponent of the frequencies of the values.

    Raises:
        OptionError: a value is out of its range, or there is no such teacher.
    """

    teacher: str = "product"
    rows: int = 30_000
    seed: int = 0
    noise: float = 0.0
    zipf: float = 1.0

    def __post_init__(self) -> None:
        bounds.one_of("teacher", self.teacher, tuple(TEACHERS))
        for name, bound in READ.items():
            bound.check(name, getattr(self, name))

    @classmethod
    def named(cls, text: str) -> PlantedLog:
        """The log that a user calls "synthetic:planted[:TEACHER][:NAME=VALUE …]".

        Raises:
            OptionError: the text has another form.
        """
        parts = text.removeprefix(PLANTED).split(":")[1:]
        teacher = parts.pop(0) if parts and "=" not in parts[0] else cls.teacher
        numbers: dict[str, int | float] = {}
        for part in parts:
            name, _, value = part.partition("=")
            number = READ[name].read(value) if name in READ else None
            if number is None or name in numbers:
                raise OptionError("data", planted_form(), text)
            numbers[name] = number
        if teacher not in TEACHERS:
            raise OptionError("data", planted_form(), text)
        return cls(
            teacher,
            rows=int(numbers.get("rows", cls.rows)),
            seed=int(numbers.get("seed", cls.seed)),
            noise=numbers.get("noise", cls.noise),
            zipf=numbers.get("zipf", cls.zipf),
        )

    @property
    def plan(self) -> Teacher:
        """Its teacher."""
        return TEACHERS[self.teacher]

    @property
    def design(self) -> FusionDesign:
        """The teacher's design."""
        return self.plan.design

    def teacher_at(self, levels: int) -> FusionDesign | None:
        """The teacher's design in a space of so many levels; None where it has a block that is not there."""
        return self.plan.at_levels(levels) if levels >= levels_of(self.design) else None

    @property
    def network(self) -> TeacherNetwork:
        """The teacher's network."""
        return _network(self.teacher, self.seed, self.zipf)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the log, label first."""
        return ("click", *(f"field{f}" for f in range(1, self.plan.fields + 1)))

    def blocks(self) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """Yield (ids ``[block, fields]``, clicks ``[block]``, true probabilities ``[block]``), block by block."""
        for block, start in enumerate(range(0, self.rows, BLOCK_ROWS)):
            rng = np.random.default_rng([self.seed, ROWS, block])
            ids = self._draw(rng, BLOCK_ROWS)[: self.rows - start]
            chance = rng.random(BLOCK_ROWS)[: self.rows - start]
            probabilities = self.probabilities(ids)
            yield ids, (chance < probabilities).astype(np.int64), probabilities

    def probabilities(self, ids: IntArray) -> FloatArray:
        """The true click probability of every row of ids ``[rows, field]``."""
        clear = 1.0 / (1.0 + np.exp(-self.network.logits(ids)))
        return np.asarray((1.0 - self.noise) * clear + self.noise / 2)

    def truth_rows(self) -> tuple[IntArray, FloatArray]:
        """Rows that stand for all possible ones: ids ``[rows, field]``, and their true probabilities ``[rows]``."""
        ids = self._draw(np.random.default_rng([self.seed, TRUTH]), TRUTH_ROWS)
        return ids, self.probabilities(ids)

    def _draw(self, rng: np.random.Generator, rows: int) -> IntArray:
        return draw_ids(rng, zipf(self.plan.values, self.zipf), rows, self.plan.fields)


@lru_cache(maxsize=4)
def _network(teacher: str, seed: int, exponent: float) -> TeacherNetwork:
    return plant(TEACHERS[teacher], seed, exponent)


@dataclass(frozen=True)
class Change:
    """What a change of the teacher costs.

    Args:
        what: "cross1 -> output closed", or "output: add instead of product".
        auc: of the changed teacher.
        loss: what it lost.
    """

    what: str
    auc: float
    loss: float


@dataclass(frozen=True)
class Truth:
    """What is known of a planted log.

    Args:
        design: the teacher's.
        attainable_auc: of the true probabilities, over all possible rows.
        changes: every connection closed and every operation changed, one at a time, weights as they are.
    """

    design: FusionDesign
    attainable_auc: float
    changes: tuple[Change, ...]


def planted_truth(log: PlantedLog) -> Truth:
    """What is known of a planted log, computed on `TRUTH_ROWS` rows with their probabilities, without drawing clicks.

    An operation is changed to a sum and to a product, which need no weights; a block with one input has no other.
    """
    ids, probabilities = log.truth_rows()
    attainable = planted_auc(log)

    def change(what: str, closed: Collection[Connection] = (), operations: Mapping[str, str] | None = None) -> Change:
        auc = expected_auc(log.network.logits(ids, closed, operations), probabilities)
        return Change(what, auc, attainable - auc)

    design = log.design
    closings = [change(f"{s} -> {t} closed", [(s, t)]) for s, t in design.connections]
    others = [
        change(f"{block}: {other} instead of {operation}", operations={block: other})
        for block, operation in design.operations
        if len(design.sources(block)) > 1
        for other in ("add", "product")
        if other != operation
    ]
    return Truth(design, attainable, (*closings, *others))


@lru_cache(maxsize=4)
def planted_auc(log: PlantedLog) -> float:
    """The AUC of the true probabilities over all possible rows, the best that any model can hope for."""
    probabilities = log.truth_rows()[1]
    return expected_auc(probabilities, probabilities)


def expected_auc(scores: FloatArray, probabilities: FloatArray) -> float:
    """The probability that a click scores above a row without, of two rows drawn alike; ties count half.

    Args:
        scores: one per row, ``[rows]``.
        probabilities: of a click, ``[rows]``.
    """
    _, group = np.unique(scores, return_inverse=True)
    clicks = np.bincount(group, probabilities)
    others = np.bincount(group, 1.0 - probabilities)
    below = np.cumsum(others) - others / 2
    return float(clicks @ below / (clicks.sum() * others.sum()))


def planted_form() -> str:
    """How a planted log is named."""
    names = ", ".join(f"{name} ({bound.range})" for name, bound in READ.items())
    return f"{PLANTED}[:TEACHER][:NAME=VALUE ...] (teachers: {', '.join(TEACHERS)}; names: {names})"
