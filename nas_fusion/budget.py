"""What a strategy may spend while searching."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nas_fusion import bounds
from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError

_SAMPLES = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[xkM]?)")
_CANDIDATES = re.compile(r"(?P<number>\d+) ?(?:c|candidates?)(?:: ?(?P<each>\S+))?")
_SECONDS = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smh])")
_SUFFIX = {"": 1, "k": 1_000, "M": 1_000_000}
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600}
_FORMS = (
    "samples (passes like 5x, or 400000, 400k, 3M), candidate trainings (12c, or 12c:0.5x with another size than one "
    "pass) or seconds (600s, 10m, 1h)"
)
_LONGEST = 40
"""Characters of a budget; numbers that need more are none that anybody could spend."""

_MOST_SAMPLES = Bound(1, bounds.MOST_SAMPLES)
_MOST_SECONDS = Bound(0, bounds.MOST_SECONDS, integer=False, above=True)


@dataclass(frozen=True)
class Budget:
    """What a search may spend, deriving its design included; the same for every strategy.

    Either a number of *samples seen*: rows that pass through a model for learning (training batches, and the
    validation batches on which DARTS trains its architecture) or for ranking designs inside a supernet. The one
    validation pass that every strategy makes after an epoch or a candidate is not counted. A budget in candidate
    trainings is such a number, too: it says how many candidates there are and how many samples each of them gets, and
    a one-shot search may see as many samples as all of them together.

    Or a number of wall-clock seconds, validations included. A repeated search then differs from the first one.

    Args:
        samples: how many; None for a budget in seconds.
        seconds: how many; None for a budget in samples.
        candidates: of a budget in candidate trainings, how many there are.

    Raises:
        OptionError: neither samples nor seconds, or both, or not above zero.
    """

    samples: int | None = None
    seconds: float | None = None
    candidates: int | None = None

    def __post_init__(self) -> None:
        if (self.samples is None) == (self.seconds is None):
            raise OptionError("budget", "either samples or seconds", (self.samples, self.seconds))
        if self.samples is not None and not _MOST_SAMPLES.allows(self.samples):
            raise OptionError("budget", f"{_MOST_SAMPLES.range} samples", self.samples)
        if self.seconds is not None and not _MOST_SECONDS.allows(self.seconds):
            raise OptionError("budget", f"{_MOST_SECONDS.range} seconds", self.seconds)
        if self.candidates is not None and (not bounds.CANDIDATES.allows(self.candidates) or self.samples is None):
            raise OptionError(
                "budget", f"{bounds.CANDIDATES.range} candidate trainings, of a number of samples", self.candidates
            )

    @classmethod
    def parse(cls, text: str, train_rows: int) -> Budget:
        """Read a budget.

        ``5x`` (passes over the training rows), ``400k``, ``3M`` or ``400000``: samples. ``12c`` or ``12 candidates``:
        candidate trainings of one pass each; ``12c:0.5x`` or ``12c:40k``: of another size. ``600s``, ``10m`` or
        ``1h``: seconds.

        Raises:
            OptionError: the text has another form.
        """
        text = text.strip()
        if len(text) > _LONGEST:
            raise OptionError("budget", _FORMS, text)
        if seconds := seconds_in(text):
            return cls(seconds=seconds)
        if match := _CANDIDATES.fullmatch(text):
            number, each = int(match["number"]), _samples(match["each"] or "1x", train_rows)
            if number and each:
                return cls(number * each, candidates=number)
        samples = _samples(text, train_rows)
        if not samples:
            raise OptionError("budget", _FORMS, text)
        return cls(samples)

    @property
    def is_repeatable(self) -> bool:
        """Whether the same search again gives the same design."""
        return self.seconds is None

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{self.seconds:,.6g} seconds of searching"
        seen = f"{self.samples:,} samples seen while searching"
        if self.candidates is None or self.samples is None:
            return seen
        each = self.samples // self.candidates
        trainings = "candidate training" if self.candidates == 1 else "candidate trainings"
        return f"{self.candidates} {trainings} of {each:,} samples ({seen})"


def seconds_in(text: str) -> float | None:
    """The seconds that a text like ``90s``, ``20m`` or ``2h`` means; None if it means none, or zero."""
    match = _SECONDS.fullmatch(text.strip()[:_LONGEST])
    return float(match["number"]) * _SECONDS_OF[match["unit"]] or None if match else None


def _samples(text: str, train_rows: int) -> int:
    """The samples that a text means; 0 if it means none."""
    match = _SAMPLES.fullmatch(text)
    if not match:
        return 0
    unit = train_rows if match["unit"] == "x" else _SUFFIX[match["unit"]]
    return math.ceil(float(match["number"]) * unit)
