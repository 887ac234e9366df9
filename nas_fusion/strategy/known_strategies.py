"""The registry that holds every known strategy, and the groups by which a command line names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module

from nas_fusion.errors import OptionError
from nas_fusion.registry import Registry
from nas_fusion.strategy.strategy_entry import StrategyEntry


def _register_built_in() -> None:
    for module in ("nas_fusion.optfusion.optfusion_entries", "nas_fusion.baselines.baseline_entries"):
        for entry in import_module(module).ENTRIES:
            STRATEGIES.register(entry.name, entry)


_NO_NAME = re.compile(r"[\s,/\\:]|^\.")
"""Names stand in lists with commas, in columns, and in the names of folders."""


def _problem(name: str, entry: StrategyEntry) -> str | None:
    if name != entry.name:
        return f"its entry is called {entry.name!r}; both must be the same"
    if not name or _NO_NAME.search(name) or name in GROUPS:
        return f"its name must have no blank, comma, colon, slash or leading dot, and be none of {', '.join(GROUPS)}"
    return None


STRATEGIES: Registry[StrategyEntry] = Registry(
    "strategy", "nas_fusion.strategies", StrategyEntry, built_in=_register_built_in, problem=_problem
)
"""Every known strategy by name."""


GROUPS: Mapping[str, Callable[[StrategyEntry], bool]] = {
    "all": lambda entry: True,
    "searches": lambda entry: entry.kind != "reference",
    "models": lambda entry: entry.kind == "reference",
}
"""What ``--strategies`` may name beside strategies: groups of those that are ``in_all``."""


def select_strategies(text: str) -> list[StrategyEntry]:
    """The entries that ``--strategies`` names: a group (`GROUPS`), names, or both, with commas between them.

    References always stand behind the searched ones, and `ALWAYS_COMPARED` are always among them.

    Raises:
        UnknownNameError: a name is not registered; the nearest is offered.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise OptionError("strategies", f"names, or {', '.join(GROUPS)}, with commas between them", text)
    chosen: dict[str, StrategyEntry] = {}
    for name in names:
        if name in GROUPS:
            chosen.update((n, entry) for n, entry in STRATEGIES if entry.in_all and GROUPS[name](entry))
        else:
            chosen[name] = STRATEGIES.get(name)
    chosen.update((n, entry) for n, entry in STRATEGIES if entry.is_always_compared)
    return sorted(chosen.values(), key=lambda entry: entry.kind == "reference")
