"""`SplitRule`: how rows are divided into training, validation and test rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nas_fusion.errors import OptionError

SPLIT_FORMS = "random, time:COLUMN or group:COLUMN, perhaps with three positive sizes after it (random:8:1:1)"


class SplitKind(StrEnum):
    """What divides the rows."""

    RANDOM = "random"
    """Chance."""

    TIME = "time"
    """The order of a column of times."""

    GROUP = "group"
    """Chance, but equal cells of a column stay together."""


@dataclass(frozen=True)
class SplitRule:
    """`DataOptions.split`, read: what divides the rows, by which column, and the relative sizes of the three splits."""

    kind: SplitKind
    column: str | None
    sizes: tuple[float, float, float]

    @classmethod
    def parse(cls, text: str) -> SplitRule:
        """Read "random", "random:8:1:1", "time:COLUMN", "time:COLUMN:8:1:1", "group:COLUMN" or "group:COLUMN:8:1:1".

        Raises:
            OptionError: it is none of these.
        """
        kind, *rest = text.split(":")
        sizes = (8.0, 1.0, 1.0)
        if len(rest) >= 3:
            sizes = _sizes(rest[-3:], text)
            rest = rest[:-3]
        column = ":".join(rest)
        if kind not in list(SplitKind) or (kind == SplitKind.RANDOM) != (not rest) or (rest and not column):
            raise OptionError("split", SPLIT_FORMS, text)
        return cls(SplitKind(kind), column or None, sizes)


def _sizes(parts: list[str], text: str) -> tuple[float, float, float]:
    try:
        train, valid, test = (float(p) for p in parts)
    except ValueError as error:
        raise OptionError("split", SPLIT_FORMS, text) from error
    if not all(0 < size < math.inf for size in (train, valid, test)):
        raise OptionError("split", SPLIT_FORMS, text)
    return train, valid, test
