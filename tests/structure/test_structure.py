"""The rules of the house, on the syntax trees: folders, names, arrows, sizes, words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.counting import Counts, is_private
from tests.structure.source_tree import Checkout, SourceFile, part_of, quantile

ROOT = Path(__file__).resolve().parents[2]


ANY_SHARE = 0.025

BY_TEXT = {"nas_fusion.strategy.known_strategies", "nas_fusion"}
"""Who may name the folders of strategies: the registry, and the package's own re-exports."""


@pytest.fixture(scope="module")
def checkout() -> Checkout:
    return Checkout(ROOT)


@pytest.fixture(scope="module")
def counts(checkout: Checkout) -> Counts:
    return Counts(checkout)


# Folders and names ---------------------------------------------------------------------------------------------------


def test_a_folder_holds_a_dozen_modules_at_most(counts: Counts) -> None:
    large = {folder: number for folder, number in counts.modules_per_folder().items() if number > 12}
    assert large == {}


def test_no_two_modules_are_called_alike(counts: Counts) -> None:
    assert counts.repeated_basenames() == {}


# Arrows --------------------------------------------------------------------------------------------------------------


def test_contracts_are_kept() -> None:
    """The contracts in pyproject.toml: layers, peers, strategies, private modules, circles."""
    # In a process of its own: the linter switches off every logger that there is already.
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout


def test_no_arrow_points_back(counts: Counts) -> None:
    """The same as the contract, with every name followed through the re-exports to the module that defines it."""
    assert counts.arrows_back() == []


def test_no_modules_know_each_other_in_a_circle(counts: Counts) -> None:
    assert counts.circles() == []
    assert counts.circles_of_parts() == []


def test_private_modules_stay_in_their_package(counts: Counts, checkout: Checkout) -> None:
    """Of what another package marks as its own, nothing is imported, by tests, benchmarks and examples neither."""
    outsiders = [*checkout.modules.values(), *checkout.tests.values(), *checkout.others.values()]
    assert counts.foreign_private_imports(outsiders) == []


def test_nobody_but_the_registry_names_a_folder_of_strategies(checkout: Checkout) -> None:
    """Not even as text; docstrings and comments may."""
    for file in checkout.modules.values():
        if part_of(file.name) not in ("optfusion", "baselines") and file.name not in BY_TEXT:
            named = [text for text in strings_of(file) if re.search(r"nas_fusion\.(optfusion|baselines)", text)]
            assert named == [], file.name


def strings_of(file: SourceFile) -> list[str]:
    """What a module imports and its strings, docstrings apart."""
    docstrings = {
        id(node.value)
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    strings = [
        n.value
        for n in ast.walk(file.tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docstrings
    ]
    return strings + [imported.dotted for imported in file.imports]


def test_the_package_itself_imports_nothing_before_it_is_asked(checkout: Checkout) -> None:
    """What stands in its ``__init__`` outside ``if TYPE_CHECKING`` is of the standard library."""
    top = checkout.modules["nas_fusion"].tree.body
    imported = [ast.unparse(node) for node in top if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [line for line in imported if "nas_fusion" in line] == []
    assert "__getattr__" in [node.name for node in top if isinstance(node, ast.FunctionDef)]


def test_most_modules_are_open(checkout: Checkout) -> None:
    """An underscore marks what is nobody else's business; it does not hide the map."""
    private = [name for name in checkout.modules if is_private(name)]
    assert len(private) < len(checkout.modules) / 10, private


# Sizes ---------------------------------------------------------------------------------------------------------------


def test_functions_are_short(counts: Counts) -> None:
    lengths = counts.function_lengths()
    assert quantile(lengths, 0.5) <= 7
    assert quantile(lengths, 0.9) <= 31


def test_files_are_short(counts: Counts) -> None:
    lengths = counts.file_lengths()
    assert quantile(lengths, 0.5) <= 150
    assert quantile(lengths, 0.9) <= 400


def test_functions_take_few_parameters(counts: Counts) -> None:
    most, whose = counts.most_parameters()
    assert most <= 17, whose


# Words ---------------------------------------------------------------------------------------------------------------


def test_parameters_say_what_they_are(counts: Counts) -> None:
    assert counts.annotated_share() == 1
    assert len(counts.any_parameters()) <= ANY_SHARE * counts.parameter_count()


def test_public_functions_have_docstrings(counts: Counts) -> None:
    assert counts.documented_share() >= 0.99
