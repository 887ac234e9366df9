"""Limits on what a design may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError
from nas_fusion.measures.cost_table import CostTable, Mode
from nas_fusion.settings import LimitSettings

DEFAULT_COST_PENALTY = LimitSettings.cost_penalty
"""Weight of OptFusion's penalty."""


@dataclass(frozen=True)
class Limit:
    """The most that a design may cost, of one kind of cost.

    Args:
        option: by which the user sets it.
        most: the limit.
        table: what designs cost.
        factor: estimates of the table are multiplied by it (1 where it is exact).
    """

    option: str
    most: float
    table: CostTable
    factor: float = 1.0

    def cost(self, design: FusionDesign, mode: Mode = "hard") -> float:
        """What a design costs, to be held against the limit."""
        return self.table.of(design, mode) * self.factor

    def excess(self, design: FusionDesign, mode: Mode = "hard") -> float:
        """By which share of the limit a design is above it; 0 if it is not."""
        return max(0.0, self.cost(design, mode) / self.most - 1)

    def cheapest(self, levels: int, mode: Mode = "hard") -> float:
        """What the cheapest legal design costs."""
        return self.cost(self.table.cheapest(levels, mode), mode)


@dataclass(frozen=True)
class Limits:
    """Every limit of a search.

    Args:
        limits: at least one.
        cost_penalty: weight of OptFusion's penalty while searching above a limit.
    """

    limits: tuple[Limit, ...]
    cost_penalty: float = DEFAULT_COST_PENALTY

    def excess(self, design: FusionDesign, mode: Mode = "hard") -> float:
        """By how much a design is above its limits, as shares of the limits; 0 if it keeps them all."""
        return sum(limit.excess(design, mode) for limit in self.limits)

    def problem(self, design: FusionDesign, mode: Mode = "hard") -> str | None:
        """Which limit a design is above, or None."""
        for limit in self.limits:
            if limit.excess(design, mode):
                cost = limit.cost(design, mode)
                return f"it costs {cost:,.6g} {limit.table.unit}, {limit.option} allows {limit.most:,.6g}"
        return None

    def check_reachable(self, levels: int, mode: Mode = "hard") -> None:
        """Refuse limits that no design keeps.

        Raises:
            OptionError: there is none; names the option, the limit and the cheapest design's cost.
        """
        words = " re-trained soft" if mode == "soft" else ""
        for limit in self.limits:
            least = limit.cheapest(levels, mode)
            # Each limit by itself first: the message can then say how much would be enough.
            if least > limit.most:
                expected = f"at least {_figure(least)} {limit.table.unit}, which the cheapest design{words} costs"
                raise OptionError(limit.option, expected, limit.most)
        if self.affordable_design(levels, mode) is None:
            names = " and ".join(limit.option for limit in self.limits)
            limits_set = tuple(limit.most for limit in self.limits)
            raise OptionError(names, f"limits that one design{words} can keep together", limits_set)

    def affordable_design(self, levels: int, mode: Mode = "hard") -> FusionDesign | None:
        """The cheapest design that keeps every limit, or None."""
        # Every other design has more parts than these (see `CostTable.cheapest`).
        kept = [design for design in self.limits[0].table.smallest(levels) if not self.excess(design, mode)]
        return min(kept, key=lambda design: self.limits[0].cost(design, mode), default=None)

    def tightened(self, option: str, factor: float) -> Limits:
        """The same limits, with one limit's estimates raised by a factor."""
        return replace(
            self,
            limits=tuple(
                replace(limit, factor=limit.factor * factor) if limit.option == option else limit
                for limit in self.limits
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        limits = [{**vars(limit), "table": limit.table.to_dict()} for limit in self.limits]
        return {"limits": limits, "cost_penalty": self.cost_penalty}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Limits:
        """Read what `to_dict` gave."""
        limits = [Limit(**{**one, "table": CostTable.from_dict(one["table"])}) for one in content["limits"]]
        return cls(tuple(limits), content["cost_penalty"])


def _figure(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"
