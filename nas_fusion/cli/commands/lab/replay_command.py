"""``nasfusion replay``: searches on a table of designs, in seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from nas_fusion.cli.command import Command
from nas_fusion.cli.common_options import SEEDS_FORM, parse_seeds
from nas_fusion.cli.console import counting_bar, output, print_plain
from nas_fusion.settings import Panel
from nas_fusion.settings.lab.replay_settings import ReplaySettings
from nas_fusion.settings.option import REQUIRED, path, text
from nas_fusion.system.places import check_file_place

if TYPE_CHECKING:
    from rich.table import Table

    from nas_fusion.lab.regret_curves import RegretCurve
    from nas_fusion.strategy import StrategyEntry

MANY = tuple(range(200))
"""Seeds of searches that take a twentieth of a second each."""


@dataclass(frozen=True)
class KnownTable:
    """The table, the searches' seeds, and where the figure goes."""

    table: Path = path(REQUIRED, "A table of designs (`nasfusion table`).", panel=Panel.FIRST, placed=True)
    seeds: tuple[int, ...] = text(
        MANY, "Searches of each strategy, each with a seed of its own: how many (0, 1, …), or a list like 3,5,8.",
        panel=Panel.BUDGET, metavar="SEEDS", form=SEEDS_FORM, read=parse_seeds, first=True, shown=str(len(MANY)),
    )  # fmt: skip
    out: Path | None = path(None, "A page (HTML) with the figure.", panel=Panel.WRITTEN, first=True)


def replay(what: KnownTable, how: ReplaySettings) -> None:
    """Run multi-trial strategies on a table of designs, where every training is looked up, and say how far below the
    best design they stay.
    """
    with output() as console:
        from nas_fusion.lab import DesignTable
        from nas_fusion.lab.regret_curves import best_first, regret_curve
        from nas_fusion.lab.regret_figure import write_regret_page
        from nas_fusion.lab.replay import check_replayable
        from nas_fusion.lab.replay import replay as replay_searches

        if what.out is not None:
            check_file_place("out", what.out)
        entries = _chosen(how.strategies)
        table = DesignTable.open(what.table, how.log)
        epochs = how.epochs or table.epochs
        for entry in entries:
            check_replayable(entry, table, epochs)
        every, counter = len(entries) * len(what.seeds), count(1)
        with counting_bar(console, "searches") as progress:

            def searched() -> None:
                progress(next(counter), every)

            found = [
                replay_searches(
                    entry, table, what.seeds, candidates=how.candidates, epochs=epochs, prefer=how.prefer,
                    on_search=searched,
                )
                for entry in entries
            ]  # fmt: skip
        curves = best_first([regret_curve(one, table) for one in found])
        print_plain(
            console,
            f"{table.log}: {len(table):,} designs; the best has a test AUC of {table.quality[table.best_place]:.4f}",
        )
        console.print(
            _shown(curves, f"{len(what.seeds)} searches of {how.candidates} candidates, {epochs} epochs each")
        )
        if what.out is not None:
            write_regret_page(what.out, curves, table.log)
            print_plain(console, f"written: {what.out}")


def _chosen(names: str) -> list[StrategyEntry]:
    from nas_fusion.lab.replay import can_be_replayed
    from nas_fusion.strategy import STRATEGIES

    if names.strip() == "all":
        return [entry for _, entry in STRATEGIES if entry.in_all and can_be_replayed(entry)]
    return [STRATEGIES.get(name.strip()) for name in names.split(",") if name.strip()]


def _shown(curves: Sequence[RegretCurve], title: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, "table.title"), caption="regret: test AUC below the best design's; lower is better")
    table.add_column("strategy")
    for column in ("regret", "95 % interval", "within one training's noise", "median multiply-adds"):
        table.add_column(column, justify="right")
    for curve in curves:
        low, high = curve.final
        noise = "" if math.isnan(curve.within_noise) else f"{curve.within_noise:.0%}"
        cells = (f"{curve.mean[-1]:.4f}", f"{low:.4f} to {high:.4f}", noise, f"{curve.multiply_adds:,.0f}")
        table.add_row(Text(curve.strategy), *cells)
    return table


REPLAY = Command(replay, "nasfusion replay table.parquet --strategies all --seeds 200 --out regret.html", goes_on=False)
