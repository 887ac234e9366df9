"""The package's modules, parsed once: every count and every rule looks at these trees."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PACKAGE = "nas_fusion"
OUTSIDE = ("baselines", "search_spaces", "studies")
"""Folders at the top that install below the package; the symlinks to them inside it are not followed."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Imported:
    """One name that a module imports.

    Attributes:
        module: what stands after ``from`` or ``import``.
        name: what is taken out of it; None for ``import module``.
        line: where.
    """

    module: str
    name: str | None
    line: int

    @property
    def dotted(self) -> str:
        """Module and name."""
        return self.module if self.name is None else f"{self.module}.{self.name}"


@dataclass(frozen=True)
class SourceFile:
    """One file of Python.

    Attributes:
        name: dotted, as it is imported.
        path: the file.
        folder: the folder's path below the checkout, with slashes.
    """

    name: str
    path: Path
    folder: str
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text)

    @property
    def basename(self) -> str:
        """The file's name without suffix."""
        return self.path.stem

    @property
    def is_package(self) -> bool:
        """Whether it is an ``__init__.py``."""
        return self.basename == "__init__"

    @property
    def package(self) -> str:
        """The package that it stands in; of a package, itself."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @cached_property
    def imports(self) -> tuple[Imported, ...]:
        """Everything it imports, wherever that stands: for type checkers only, in a function, at the top."""
        found: list[Imported] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [Imported(alias.name, None, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: a relative import"
                found += [Imported(str(node.module), alias.name, node.lineno) for alias in node.names]
        return tuple(found)

    @cached_property
    def functions(self) -> tuple[tuple[str, Function], ...]:
        """Its functions and methods with their qualified names, nested ones too."""
        return tuple(functions_in(self.tree, ""))


def functions_in(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    """The functions below a node, outer ones first."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        inner = f"{prefix}{child.name}." if isinstance(child, (ast.ClassDef, Function)) else prefix
        yield from functions_in(child, inner)


@dataclass(frozen=True)
class Checkout:
    """The package and its tests, as they lie in a folder.

    Args:
        root: the folder with pyproject.toml.
    """

    root: Path

    @cached_property
    def modules(self) -> dict[str, SourceFile]:
        """The package's files by dotted name."""
        return {file.name: file for top in (PACKAGE, *OUTSIDE) for file in self._files(top)}

    @cached_property
    def tests(self) -> dict[str, SourceFile]:
        """The tests' files by dotted name."""
        return {file.name: file for file in self._files("tests")}

    @cached_property
    def others(self) -> dict[str, SourceFile]:
        """Benchmarks and examples."""
        return {file.name: file for top in ("benchmarks", "examples") for file in self._files(top)}

    def _files(self, top: str) -> Iterator[SourceFile]:
        for folder, folders, files in os.walk(self.root / top):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(files):
                if name.endswith(".py"):
                    path = Path(folder, name)
                    parts = list(path.relative_to(self.root).with_suffix("").parts)
                    if top in OUTSIDE:
                        parts.insert(0, PACKAGE)
                    if parts[-1] == "__init__":
                        parts.pop()
                    folder_name = path.parent.relative_to(self.root).as_posix()
                    yield SourceFile(".".join(parts), path, folder_name, path.read_text("utf-8"))


def part_of(module: str) -> str:
    """The part of the package that a module belongs to: what comes after the package's name, up to the next dot."""
    return module.split(".")[1] if "." in module else "__init__"


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not pass."""
    ordered: Sequence[float] = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else 0
