"""`OutputSettings`: where a study goes, and what its reports are about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas_fusion.settings.option import Panel, check_fields, path, text


@dataclass(frozen=True)
class OutputSettings:
    """What a comparison writes.

    Args:
        study: its folder; None: one in ``nasfusion-studies`` that is called like the log.
        reference: strategy that the reports compare the others with; None: the one that validation chooses.
        latex: file of the table as LaTeX; None: none.

    Raises:
        OptionError: a value is not allowed.
    """

    study: Path | None = path(
        None, "Study folder.", panel=Panel.WRITTEN, first=True, shown="nasfusion-studies/<name of the log>"
    )
    reference: str | None = text(
        None,
        "Strategy that the reports compare the others with.",
        panel=Panel.WRITTEN,
        metavar="STRATEGY",
        shown="the one validation chooses",
    )
    latex: Path | None = path(
        None, "Also write the table as LaTeX (booktabs, siunitx) into this file.", panel=Panel.WRITTEN
    )

    def __post_init__(self) -> None:
        check_fields(self)
