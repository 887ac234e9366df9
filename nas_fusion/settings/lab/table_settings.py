"""`TableSettings`: how many designs a table has, and how they are trained."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion import bounds
from nas_fusion.settings.option import Panel, check_fields, number


@dataclass(frozen=True)
class TableSettings:
    """What a table of designs is made of, besides log, recipe and seeds.

    Args:
        levels: of the space. One level has 4,802 different functions, two have more than can be trained.
        epochs: of every training; by eight nearly every design of the logs that were tried has had its best.
        part: so many different designs, drawn at random; 0: all of the space.
        stack: most designs that are trained side by side. On a CPU more than this fit no cache.

    Raises:
        OptionError: a value is out of its range.
    """

    levels: int = number(1, bounds.LEVELS, "Levels of the space.", panel=Panel.MODEL, first=True)
    epochs: int = number(8, bounds.EPOCHS, "Epochs of every training.", panel=Panel.BUDGET, first=True)
    part: int = number(
        0, bounds.TABLE_PART, "So many different designs, drawn at random.", panel=Panel.BUDGET, zero="all of them"
    )
    stack: int = number(16, bounds.STACK, "Most designs that are trained side by side; more on a GPU.", panel=Panel.RUN)

    def __post_init__(self) -> None:
        check_fields(self)
