"""Counts that say how well one finds one's way in a checkout, from the syntax trees alone."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.structure.import_graph import ImportGraph, circles
from tests.structure.layers import layers_of
from tests.structure.source_tree import PACKAGE, Checkout, Function, Imported, SourceFile, quantile

MAY_REPEAT = {"__init__", "__main__"}
"""Basenames that Python gives."""

TENSORS = re.compile(r"\b(Tensor|ndarray|NDArray|Array|ArrayLike|Float|Int|Bool|Shaped|UInt8|Features|Series|Frame)\b")
"""What an annotation says that holds tensors or arrays."""

SHAPED = re.compile(r"\b(Float|Int|Bool|Shaped|UInt8|Num|Real|Integer)\d*\[.+,|\bFeatures\b")
"""What an annotation says that gives their shape."""

SHAPE_IN_WORDS = re.compile(r"``\[\w[^\]]*\]|\bshapes?\b|\bscalar\b|\bone per\b")
"""What a docstring says that gives a shape."""


def is_private(module: str) -> bool:
    """Whether a leading underscore hides the module or a package that it stands in."""
    return any(p.startswith("_") and not p.startswith("__") for p in module.split("."))


def parameters_of(function: Function) -> list[ast.arg]:
    """All parameters but ``self`` and ``cls``."""
    a = function.args
    found = [*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x is not None)]
    return [p for p in found if p.arg not in ("self", "cls")]


def lines_of(node: ast.stmt) -> int:
    """The lines from ``def`` to the end."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


@dataclass(frozen=True)
class Counts:
    """What is counted of one checkout.

    Args:
        checkout: whose.
    """

    checkout: Checkout

    @cached_property
    def graph(self) -> ImportGraph:
        """Who imports whom."""
        return ImportGraph(self.checkout)

    @cached_property
    def files(self) -> list[SourceFile]:
        """The package's files."""
        return list(self.checkout.modules.values())

    @cached_property
    def functions(self) -> list[tuple[SourceFile, str, Function]]:
        """The package's functions with the files that they stand in."""
        return [(file, name, node) for file in self.files for name, node in file.functions]

    # Folders and names

    def modules_per_folder(self) -> Counter[str]:
        """Number of modules of each folder, ``__init__.py`` apart."""
        return Counter(file.folder for file in self.files if not file.is_package)

    def repeated_basenames(self) -> dict[str, list[str]]:
        """Basenames that more than one file has, with the modules."""
        named: dict[str, list[str]] = {}
        for file in self.files:
            if file.basename not in MAY_REPEAT:
                named.setdefault(file.basename, []).append(file.name)
        return {name: modules for name, modules in named.items() if len(modules) > 1}

    def private_modules(self) -> list[str]:
        """Modules hidden by a leading underscore."""
        return [file.name for file in self.files if not file.is_package and is_private(file.name)]

    # Arrows

    def circles(self) -> list[list[str]]:
        """Modules that import each other in a circle."""
        return circles(self.graph.by_module)

    def circles_of_parts(self) -> list[list[str]]:
        """Parts of the package that import each other in a circle."""
        return circles(self.graph.by_part)

    def arrows_back(self) -> list[str]:
        """Imports against the order of layers that the checkout itself states."""
        back = self.graph.arrows_back(layers_of(self.checkout.root))
        return sorted({f"{a.importer} imports {a.imported}" for a in back})

    def foreign_private_imports(self, importers: Iterable[SourceFile]) -> list[str]:
        """Imports of a private module, or of a private name, by somebody outside the package that it belongs to."""
        return sorted({f"{f.name} imports {i.dotted}" for f in importers for i in f.imports if self._is_foreign(f, i)})

    def _is_foreign(self, importer: SourceFile, imported: Imported) -> bool:
        parts = imported.dotted.split(".")
        if parts[0] != PACKAGE:
            return False
        hidden = next((n for n, p in enumerate(parts) if p.startswith("_") and not p.startswith("__")), None)
        if hidden is None:
            return False
        owner = ".".join(parts[:hidden])
        return not (importer.name == owner or importer.name.startswith(f"{owner}."))

    # Sizes

    def function_lengths(self) -> list[int]:
        """Lines of every function."""
        return [lines_of(node) for _, _, node in self.functions]

    def file_lengths(self) -> list[int]:
        """Lines of every file."""
        return [len(file.text.splitlines()) for file in self.files]

    def most_parameters(self) -> tuple[int, str]:
        """The largest number of parameters, and whose it is."""
        return max((len(parameters_of(node)), f"{file.name}.{name}") for file, name, node in self.functions)

    # Annotations and words

    def any_parameters(self) -> list[str]:
        """Parameters annotated ``Any``, or ``Any`` and nothing."""
        return [f"{file.name}.{name}: {p.arg}" for file, name, p in self._parameters() if is_any(p.annotation)]

    def partly_any_parameters(self) -> list[str]:
        """Parameters whose annotation names ``Any`` somewhere, as in ``dict[str, Any]``."""
        return [f"{file.name}.{name}: {p.arg}" for file, name, p in self._parameters() if says_any(p.annotation)]

    def _parameters(self) -> Iterator[tuple[SourceFile, str, ast.arg]]:
        for file, name, node in self.functions:
            for parameter in parameters_of(node):
                yield file, name, parameter

    def parameter_count(self) -> int:
        """Number of parameters of all functions."""
        return sum(1 for _ in self._parameters())

    def annotated_share(self) -> float:
        """Share of parameters with an annotation."""
        return sum(p.annotation is not None for _, _, p in self._parameters()) / max(1, self.parameter_count())

    def public_functions(self) -> list[tuple[SourceFile, str, Function]]:
        """Functions and methods without underscore, in classes without underscore, not nested in functions."""
        nested = {
            id(inner)
            for _, _, outer in self.functions
            for inner in ast.walk(outer)
            if isinstance(inner, Function) and inner is not outer
        }
        return [f for f in self.functions if id(f[2]) not in nested and not re.search(r"(^|\.)_", f[1])]

    def documented_share(self) -> float:
        """Share of public functions with a docstring."""
        public = self.public_functions()
        return sum(ast.get_docstring(node) is not None for _, _, node in public) / max(1, len(public))

    def tensor_functions(self) -> list[tuple[SourceFile, str, Function]]:
        """Public functions that take or return tensors or arrays."""
        return [f for f in self.public_functions() if TENSORS.search(signature_text(f[2]))]

    def shapeless(self) -> list[str]:
        """Those of them that give no shape: not in an annotation, the docstring or the class's docstring."""
        return [
            f"{file.name}.{name}"
            for file, name, node in self.tensor_functions()
            if not SHAPED.search(signature_text(node))
            and not SHAPE_IN_WORDS.search((ast.get_docstring(node) or "") + class_docstring(file, name))
        ]

    def comments_per_100_lines(self) -> float:
        """Comments that are no instruction to a tool, per hundred lines."""
        comments = sum(1 for file in self.files for _ in comments_of(file.text))
        return 100 * comments / max(1, sum(self.file_lengths()))

    def command_defaults(self) -> list[str]:
        """Defaults that stand in the signature of a command or in a second class of settings.

        A parameter of a function with a decorator ``…command(…)`` that has a literal default counts, since the
        settings that it fills have one as well; so does a field of a dataclass that repeats the name and the literal
        of another dataclass's field. Nothing, false, 0, 1 and empty values are not counted for fields.
        """
        return [*self._defaults_of_commands(), *self._repeated_fields()]

    def _defaults_of_commands(self) -> Iterator[str]:
        for file, name, node in self.functions:
            if any(re.search(r"command\b", ast.unparse(d)) for d in node.decorator_list):
                a = node.args
                given = [*a.defaults, *(d for d in a.kw_defaults if d is not None)]
                yield from (f"{file.name}.{name}: {ast.unparse(d)}" for d in given if isinstance(d, ast.Constant))

    def _repeated_fields(self) -> Iterator[str]:
        seen: dict[tuple[str, str], str] = {}
        for file in self.files:
            for node in ast.walk(file.tree):
                if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
                    for name, value in field_defaults(node):
                        if (first := seen.setdefault((name, value), node.name)) != node.name:
                            yield f"{file.name}.{node.name}.{name} = {value} (also in {first})"


def field_defaults(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The fields of a dataclass with a literal default that says something."""
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=value)):
                if value not in (None, False, True, 0, 1, ""):
                    yield name, repr(value)


def is_any(annotation: ast.expr | None) -> bool:
    """Whether an annotation says nothing: ``Any``, or ``Any | None``."""
    return annotation is not None and ast.unparse(annotation) in ("Any", "typing.Any", "Any | None")


def says_any(annotation: ast.expr | None) -> bool:
    """Whether an annotation names ``Any``, alone or inside."""
    return annotation is not None and any(
        (isinstance(n, ast.Name) and n.id == "Any") or (isinstance(n, ast.Attribute) and n.attr == "Any")
        for n in ast.walk(annotation)
    )


def signature_text(node: Function) -> str:
    """The annotations of a function."""
    found = [p.annotation for p in parameters_of(node)] + [node.returns]
    return " ; ".join(ast.unparse(a) for a in found if a is not None)


def class_docstring(file: SourceFile, qualified: str) -> str:
    """The docstring of the class that a method belongs to; empty for functions."""
    owner = qualified.rpartition(".")[0]
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ClassDef) and node.name == owner:
            return ast.get_docstring(node) or ""
    return ""


def comments_of(text: str) -> Iterator[str]:
    """Comments, those apart that tell a tool something."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not re.match(r"#\s*(type:|noqa|pragma|!|ruff:|-\*-)", token.string):
            yield token.string


# The table ---------------------------------------------------------------------------------------------------------


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def _both(values: Sequence[float]) -> str:
    return f"{quantile(values, 0.5):.0f} / {quantile(values, 0.9):.0f}"


def _largest_folder(c: Counts) -> str:
    (folder, number) = c.modules_per_folder().most_common(1)[0]
    return f"{number} ({folder})"


ROWS: tuple[tuple[str, Callable[[Counts], str]], ...] = (
    ("modules", lambda c: str(sum(c.modules_per_folder().values()))),
    ("private modules", lambda c: str(len(c.private_modules()))),
    ("folders", lambda c: str(len(c.modules_per_folder()))),
    ("most modules in a folder", _largest_folder),
    ("folders with more than 12 modules", lambda c: str(sum(n > 12 for n in c.modules_per_folder().values()))),
    ("repeated basenames", lambda c: str(len(c.repeated_basenames()))),
    ("arrows back", lambda c: str(len(c.arrows_back()))),
    ("modules in circles", lambda c: str(sum(map(len, c.circles())))),
    ("parts in circles", lambda c: str(sum(map(len, c.circles_of_parts())))),
    ("imports of another package's private module", lambda c: str(len(c.foreign_private_imports(c.files)))),
    ("… by tests", lambda c: str(len(c.foreign_private_imports(c.checkout.tests.values())))),
    ("lines of a function, median / p90", lambda c: _both(c.function_lengths())),
    ("lines of a file, median / p90", lambda c: _both(c.file_lengths())),
    ("most parameters of a function", lambda c: "{} ({})".format(*c.most_parameters())),
    ("parameters annotated", lambda c: f"{100 * c.annotated_share():.1f} %"),
    ("parameters annotated Any", lambda c: _share(len(c.any_parameters()), c.parameter_count())),
    ("… with Any inside", lambda c: _share(len(c.partly_any_parameters()), c.parameter_count())),
    ("public functions with docstring", lambda c: f"{100 * c.documented_share():.1f} %"),
    (
        "public functions of tensors or arrays that give shapes",
        lambda c: _share(len(c.tensor_functions()) - len(c.shapeless()), len(c.tensor_functions())),
    ),
    ("comments per 100 lines", lambda c: f"{c.comments_per_100_lines():.1f}"),
    ("repeated defaults", lambda c: str(len(c.command_defaults()))),
)
"""The rows of the table: what is counted, and how."""
