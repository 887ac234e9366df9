"""`GateLearning`: how gates and mixtures may be learnt, beyond what was published.

The published rates belong to 8,000 to 30,000 steps an epoch, and every connection lowers the loss of the rows that it
is learnt on. On a small log therefore all gates stay open, unless something speaks against them: rows that the weights
have not seen, or a price.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from nas_fusion.bounds import MEASURED, SHARE, Bound, Rule, check_parameter

PricedBy = Literal["connections", "cost"]
PRICED_BY: tuple[PricedBy, ...] = ("connections", "cost")

BOUNDS: dict[str, Rule] = {
    "pressure": Bound(0, 10, integer=False),
    "pressure_rise": Bound(1, 1e9, integer=False),
    "priced_by": PRICED_BY,
    "held_out": Bound(0, 0.9, integer=False),
    "gate_noise": Bound(0, 1000, integer=False),
    "gate_travel": Bound(0, 1e9, integer=False),
    "late_start": SHARE,
    "measured_closings": MEASURED,
}


@dataclass(frozen=True)
class GateLearning:
    """Options of the search; each one's default leaves the published search as it is, bit for bit.

    Args:
        pressure: what an open connection costs, in nats: added to every gate's gradient, closed ones' included.
        pressure_rise: by this factor the pressure grows while the supernet is trained, evenly in its logarithm, and
            ends with `pressure`; 1: it is constant.
        priced_by: ``"connections"``: all cost the same; ``"cost"``: in proportion to their multiply-adds, the mean over
            all connections being `pressure`.
        held_out: share of the training rows on which gates and mixtures alone are learnt, and weights never.
        gate_noise: standard deviation of what is added to α before it is held against the threshold, while training.
        gate_travel: how far a gate whose gradient never changes its sign comes while the supernet is trained, in units
            of its start: the rate then follows from the number of steps; 0: `arch_learning_rate` is what it is.
        late_start: share of the training in which gates stay open; weights and operations are learnt from the start.
        waits: whether gates also stay open until an epoch brings the supernet less validation AUC than what counts as a
            loss (`nas_fusion.statistics.loss_margin`): what a connection is worth does not show before its weights are
            learnt. A search says it (`nas_fusion.strategy.abilities.HearsValidations`).
        sparsest_epoch: derive from the epoch with the fewest open connections of all whose validation AUC is that of
            the best but for the noise; else from the best.
        measured_closings: after the training, close as many connections at once as validation rows do not miss, in so
            many passes over them (`nas_fusion.strategy.abilities.ClosesByMeasure`); 0: gates stay as they were learnt.

    Raises:
        OptionError: a value is out of its range.
    """

    pressure: float = 0.0
    pressure_rise: float = 1.0
    priced_by: PricedBy = "connections"
    held_out: float = 0.0
    gate_noise: float = 0.0
    gate_travel: float = 0.0
    late_start: float = 0.0
    waits: bool = False
    sparsest_epoch: bool = False
    measured_closings: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            check_parameter(one.name, getattr(self, one.name), one.default, BOUNDS.get(one.name))

    def pressure_at(self, share: float) -> float:
        """What an open connection costs when this share of the training, from 0 to 1, is over."""
        return self.pressure * float(self.pressure_rise ** (min(share, 1.0) - 1.0))
