"""Who imports whom: through every re-export to the module that defines the name, type-only imports included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.structure.source_tree import PACKAGE, Checkout, Imported, SourceFile, part_of


@dataclass(frozen=True)
class Arrow:
    """One import of one module by another.

    Attributes:
        importer, imported: dotted names; `imported` is the module that defines the name.
        line: of the import in the importer's file.
    """

    importer: str
    imported: str
    line: int


@dataclass(frozen=True)
class ImportGraph:
    """The imports inside the package.

    Args:
        checkout: whose.
    """

    checkout: Checkout

    def home(self, imported: Imported) -> str | None:
        """The module that defines what is imported; None for what is not of the package."""
        modules = self.checkout.modules
        if imported.module.partition(".")[0] != PACKAGE:
            return None
        seen: set[str] = set()
        module, name = imported.module, imported.name
        while name is not None and module not in seen:
            seen.add(module)
            if f"{module}.{name}" in modules:
                return f"{module}.{name}"
            source = self._re_exports.get(module, {}).get(name)
            if source is None:
                break
            module, name = source.module, source.name
        return module if module in modules else None

    @cached_property
    def _re_exports(self) -> Mapping[str, Mapping[str, Imported]]:
        return {
            file.name: {str(i.name): i for i in file.imports if i.name and i.module.partition(".")[0] == PACKAGE}
            for file in self.checkout.modules.values()
            if file.is_package
        }

    @cached_property
    def arrows(self) -> tuple[Arrow, ...]:
        """All imports but those of the package's own ``__init__``, which re-exports names when they are first used."""
        return tuple(arrow for file in self.checkout.modules.values() for arrow in self._arrows_of(file))

    def _arrows_of(self, file: SourceFile) -> Iterator[Arrow]:
        for imported in file.imports:
            home = self.home(imported)
            if home is not None and file.name not in (home, PACKAGE):
                yield Arrow(file.name, home, imported.line)

    @cached_property
    def by_module(self) -> Mapping[str, frozenset[str]]:
        """The modules that each module imports."""
        found: dict[str, set[str]] = {name: set() for name in self.checkout.modules}
        for arrow in self.arrows:
            found[arrow.importer].add(arrow.imported)
        return {name: frozenset(others) for name, others in found.items()}

    @cached_property
    def by_part(self) -> Mapping[str, frozenset[str]]:
        """The parts of the package that each part imports."""
        found: dict[str, set[str]] = {part_of(name): set() for name in self.checkout.modules if name != PACKAGE}
        for arrow in self.arrows:
            importer, imported = part_of(arrow.importer), part_of(arrow.imported)
            if imported not in (importer, "__init__"):
                found[importer].add(imported)
        return {name: frozenset(others) for name, others in found.items()}

    def arrows_back(self, layers: Sequence[frozenset[str]]) -> list[Arrow]:
        """The imports from one part of the package into another that is not below it.

        Args:
            layers: the parts, lowest layer first; a part that stands in none may import and be imported freely.
        """
        level = {part: number for number, parts in enumerate(layers) for part in parts}
        back = []
        for arrow in self.arrows:
            importer, imported = part_of(arrow.importer), part_of(arrow.imported)
            if importer != imported and importer in level and imported in level and level[imported] >= level[importer]:
                back.append(arrow)
        return back


def circles(graph: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """The sets of nodes of which each reaches each other (Tarjan 1972), largest first; lone nodes left out."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            members, stack[at:] = stack[at:], []
            if len(members) > 1:
                found.append(sorted(members))

    for node in graph:
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)


def reduced(graph: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The fewest arrows from which the same nodes are reached; the graph has no circle."""
    reach: dict[str, frozenset[str]] = {}

    def reached(node: str) -> frozenset[str]:
        if node not in reach:
            reach[node] = graph[node].union(*(reached(other) for other in graph[node]))
        return reach[node]

    return {
        node: frozenset(o for o in others if not any(o in reached(via) for via in others if via != o))
        for node, others in graph.items()
    }
