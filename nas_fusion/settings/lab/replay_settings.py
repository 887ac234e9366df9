"""`ReplaySettings`: how searches are replayed on a table of designs."""

from __future__ import annotations

from dataclasses import dataclass

from nas_fusion import bounds
from nas_fusion.settings.limit_settings import LimitSettings
from nas_fusion.settings.option import Panel, check_fields, number, text, word


@dataclass(frozen=True)
class ReplaySettings:
    """What is replayed.

    Args:
        log: whose figures, where the table has several logs; None: the only one's.
        strategies: ``all`` multi-trial strategies over the fusion space, or names with commas between them.
        candidates: that a search may try.
        epochs: of each candidate's training; 0: as many as the table has.
        prefer: as of `LimitSettings`; a table has no predictions, so that equal is what no verdict calls a difference.

    Raises:
        OptionError: a value is out of its range.
    """

    log: str | None = text(
        None, "Whose figures, of a table of several logs.", panel=Panel.DATA, metavar="LOG", first=True,
        shown="the only one",
    )  # fmt: skip
    strategies: str = text(
        "all", "`all` multi-trial strategies over the fusion space, or names with commas between them.",
        panel=Panel.BUDGET, metavar="NAMES", first=True,
    )  # fmt: skip
    candidates: int = number(30, bounds.CANDIDATES, "Candidates of a search.", panel=Panel.BUDGET, first=True)
    epochs: int = number(
        0, bounds.REPLAYED_EPOCHS, "Epochs of a candidate's training.", panel=Panel.BUDGET, first=True,
        zero="as many as the table has",
    )  # fmt: skip
    prefer: str = word(
        LimitSettings.prefer, bounds.PREFERENCES,
        "Which candidate a search hands on: cheap, the cheapest within .0005 AUC of the best, or best.",
        panel=Panel.BUDGET,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_fields(self)
