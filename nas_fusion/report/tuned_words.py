"""What `fit` says of the rest of its time: what was tuned, and what everything took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas_fusion.records import TunedFamily
from nas_fusion.report.number_words import duration, plain

BY_THE_CLOCK = "With a time limit the result depends on the clock: the same seeds may give another model next time."


def tuned_words(tuned: Sequence[TunedFamily]) -> list[str]:
    """A line for every strategy that had trials.

    Args:
        tuned: the best first.
    """
    return [_line(one) for one in tuned]


def spent_words(spent: Mapping[str, float]) -> str:
    """What the time was spent on; empty where nothing is known.

    Args:
        spent: seconds by what they were spent on.
    """
    parts = [f"{what} {duration(seconds)}" for what, seconds in spent.items() if seconds >= 1]
    return f"The time went into: {', '.join(parts)}." if parts else ""


def _line(one: TunedFamily) -> str:
    odd = {"given up early": one.behind, "failed": one.failed}
    counts = "".join(f", {number} of them {words}" for words, number in odd.items() if number)
    trials = f"{one.trials} trial{'s' * (one.trials != 1)}{counts}, {duration(one.seconds)}"
    where = f", mean of {one.folds} divisions" if one.folds > 1 else ""
    return f"{one.strategy}: {trials}; validation of the defaults {one.defaults:.4f}{where}{_best(one)}"


def _best(one: TunedFamily) -> str:
    if one.best is None:
        return "; nothing else was tried to its end"
    if not one.is_better:
        return f", the best other values {one.best:.4f}: not better by more than the noise ({one.noise:.4f})"
    values = ", ".join(f"{name} {_value(value)}" for name, value in one.values.items())
    return f", tuned {one.best:.4f} ({values})"


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else plain(value)
