"""`SplitRule`: how rows are divided into training, validation and test rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas_fusion.errors import OptionError

SPLIT_FORMS = "random, random:8:1:1, time:COLUMN or time:COLUMN:8:1:1 (three positive weights)"


@dataclass(frozen=True)
class SplitRule:
    """`DataOptions.split`, read: by time if there is a column, else at random; relative sizes of the three splits."""

    column: str | None
    weights: tuple[float, float, float]

    @classmethod
    def parse(cls, text: str) -> SplitRule:
        """Read "random", "random:8:1:1", "time:COLUMN" or "time:COLUMN:8:1:1".

        Raises:
            OptionError: it is none of these.
        """
        kind, *rest = text.split(":")
        weights = (8.0, 1.0, 1.0)
        if len(rest) >= 3:
            weights = _weights(rest[-3:], text)
            rest = rest[:-3]
        if kind == "random" and not rest:
            return cls(None, weights)
        if kind == "time" and rest and ":".join(rest):
            return cls(":".join(rest), weights)
        raise OptionError("split", SPLIT_FORMS, text)

    def sizes(self, rows: int) -> tuple[int, int, int]:
        """The exact number of rows of the three splits."""
        total = sum(self.weights)
        train, valid = (round(rows * w / total) for w in self.weights[:2])
        return train, valid, rows - train - valid


def _weights(parts: list[str], text: str) -> tuple[float, float, float]:
    try:
        train, valid, test = (float(p) for p in parts)
    except ValueError as error:
        raise OptionError("split", SPLIT_FORMS, text) from error
    if not all(0 < w < math.inf for w in (train, valid, test)):
        raise OptionError("split", SPLIT_FORMS, text)
    return train, valid, test
