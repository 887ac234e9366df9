"""What a strategy may spend while searching."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nas_fusion.errors import OptionError

_SUFFIX = {"": 1, "k": 1_000, "M": 1_000_000}
_FORM = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[xkM]?)")


@dataclass(frozen=True)
class Budget:
    """A number of samples seen while searching, the same for every strategy.

    A *sample seen* is a row that passes through a model for learning (training batches, and the validation batches
    on which DARTS trains its architecture) or for ranking designs inside a supernet. The one validation pass that
    every strategy makes after an epoch or a candidate is not counted.

    Args:
        samples: how many.
    """

    samples: int

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise OptionError("budget", "at least one sample", self.samples)

    @classmethod
    def parse(cls, text: str, train_rows: int) -> Budget:
        """Read ``5x`` (passes over the training rows), ``400k``, ``3M`` or ``400000`` (samples).

        Raises:
            OptionError: the text has another form.
        """
        found = _FORM.fullmatch(text.strip())
        if not found or float(found["number"]) == 0:
            raise OptionError("budget", "passes like 5x or samples like 400000, 400k, 3M", text)
        unit = train_rows if found["unit"] == "x" else _SUFFIX[found["unit"]]
        return cls(math.ceil(float(found["number"]) * unit))
