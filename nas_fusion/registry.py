"""One small registry: names to entries, with third parties' entries found through entry points."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from nas_fusion.errors import NasFusionError, UnknownNameError, words_of

logger = logging.getLogger("nas_fusion")

T = TypeVar("T")


class RegistryError(NasFusionError, ValueError):
    """A name was registered twice, or an entry point could not be loaded."""


class Registry(Generic[T]):
    """Entries by name, in the order in which they were registered.

    A third party adds an entry by an entry point of `group` in its own ``pyproject.toml``; it may point to an entry
    or to a function without arguments that returns one. Entry points are loaded when a name is first asked for. One
    that cannot be loaded is warned of, once, and left out: it hurts nobody but itself.

    Args:
        kind: what an entry is, for messages ("strategy").
        group: entry-point group (``nas_fusion.strategies``).
        entry_type: the class that every entry must have.
        built_in: registers the project's own entries; called when a name is first asked for, so that a registry can
            be imported without importing what it holds.
        problem: says what is wrong with an entry of a third party under its name, None if nothing is.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        entry_type: type[T],
        built_in: Callable[[], None] | None = None,
        problem: Callable[[str, T], str | None] = lambda name, entry: None,
    ) -> None:
        self.kind, self.group, self.entry_type, self.built_in = kind, group, entry_type, built_in
        self._problem = problem
        self._entries: dict[str, T] = {}
        self._broken: dict[str, str] = {}
        self._loaded = False

    def register(self, name: str, entry: T) -> T:
        """Add `entry` under `name`.

        Raises:
            RegistryError: the name is taken.
        """
        if name in self._entries:
            raise RegistryError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            UnknownNameError: there is none; lists the known names, nearest first.
            RegistryError: a third party has one, which cannot be loaded; says why.
        """
        self._load()
        if name not in self._entries:
            if name in self._broken:
                raise RegistryError(self._broken[name])
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

    def names(self) -> tuple[str, ...]:
        """All names, built-in ones first."""
        self._load()
        return tuple(self._entries)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        self._load()
        return iter(tuple(self._entries.items()))

    def broken(self) -> tuple[str, ...]:
        """A line about every entry of a third party that could not be loaded."""
        self._load()
        return tuple(self._broken.values())

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        if self.built_in is not None:
            self.built_in()
        for point in sorted(entry_points(group=self.group), key=lambda p: (p.name, p.value)):
            try:
                self.register(point.name, self._loaded_entry(point))
            except RegistryError as error:
                place = f" of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
                words = f"{self.kind} {point.name!r} ({point.value}){place} cannot be used: {error}"
                self._broken[point.name] = words
                logger.warning("%s", words)

    def _loaded_entry(self, point: EntryPoint) -> T:
        try:
            loaded = point.load()
            entry = loaded() if not isinstance(loaded, self.entry_type) and callable(loaded) else loaded
        except (Exception, SystemExit) as error:  # a module may end the process when it is imported
            raise RegistryError(words_of(error)) from error
        if not isinstance(entry, self.entry_type):
            raise RegistryError(f"it must be a {self.entry_type.__name__}, got {type(entry).__name__}")
        problem = self._problem(point.name, entry)
        if problem is not None:
            raise RegistryError(problem)
        return entry
