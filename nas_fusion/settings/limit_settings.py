"""`LimitSettings`: what a searched design may cost, and what is taken of designs that are equally good."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion import bounds
from nas_fusion.settings.option import Panel, check_fields, number, word


@dataclass(frozen=True)
class LimitSettings:
    """What a searched design may cost at most; 0 is no limit.

    Args:
        parameters: weights of the re-trained model, the embedding table included.
        multiply_adds: per row, when predicting.
        latency_ms: milliseconds per batch of `latency_batch` rows, measured on the machine that searches.
        latency_batch: one of `nas_fusion.bounds.LATENCY_BATCHES`.
        cost_penalty: weight of OptFusion's penalty while searching above a limit; with .1, a design at twice its limit
            costs as much as .1 nats of logloss. None by default: deriving alone leaves the better designs
            (docs/how-to/cost.md has the figures).
        prefer: which of its candidates a search hands on: ``cheap``, the one with the fewest multiply-adds of those
            that validation rows cannot tell from the best, or ``best``. A one-shot search that measures no choices
            derives as published.

    Raises:
        OptionError: a value is out of its range.
    """

    parameters: int = number(
        0,
        bounds.MOST_COST,
        "Most weights of a searched design's model, embedding table included (docs/how-to/cost.md); 0: any.",
        panel=Panel.LIMITS,
        name="max-parameters",
    )
    multiply_adds: int = number(
        0,
        bounds.MOST_COST,
        "Most multiply-adds per row of a searched design's model; 0: any.",
        panel=Panel.LIMITS,
        name="max-multiply-adds",
    )
    latency_ms: float = number(
        0.0,
        bounds.MOST_MILLISECONDS,
        "Most milliseconds in which a searched design predicts a batch, measured on this machine; 0: any.",
        panel=Panel.LIMITS,
        name="max-latency",
    )
    latency_batch: int = word(
        4096,
        bounds.LATENCY_BATCHES,
        "Rows of the batch that --max-latency is about: 1 or 4096.",
        panel=Panel.LIMITS,
    )
    cost_penalty: float = number(
        0.0,
        bounds.COST_PENALTY,
        "How hard OptFusion is pushed below a limit while it searches; 0: only its derived design is made to fit.",
        panel=Panel.LIMITS,
    )
    prefer: str = word(
        "cheap",
        bounds.PREFERENCES,
        "Which candidate a search hands on: cheap, the cheapest that validation cannot tell from the best, or best.",
        panel=Panel.LIMITS,
    )

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def any(self) -> bool:
        """Whether there is a limit."""
        return bool(self.parameters or self.multiply_adds or self.latency_ms)
