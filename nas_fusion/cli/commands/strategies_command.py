"""``nasfusion strategies``."""

from __future__ import annotations

from nas_fusion.cli.command import Command
from nas_fusion.cli.console import output


def strategies() -> None:
    """List every known strategy, plugins included."""
    with output() as console:
        from rich.table import Table

        from nas_fusion.strategy import STRATEGIES

        table = Table(title="Strategies", caption="* in --strategies all; stacked and parallel are always in the table")
        for column in ("name", "kind", "what it does", "parameters (defaults)"):
            table.add_column(column)
        for name, entry in STRATEGIES:
            parameters = ", ".join(f"{k}={v}" for k, v in entry.parameters.items())
            table.add_row(f"{name} *" if entry.in_all else name, entry.kind, entry.summary, parameters)
        console.print(table)
        for line in STRATEGIES.broken():
            console.print(f"broken: {line}", highlight=False, markup=False, soft_wrap=True)


STRATEGY_LIST = Command(strategies, "nasfusion strategies")
