"""The order of the package's parts, lowest layer first: a part imports only from the layers before its own."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path


def layers_of(root: Path) -> tuple[frozenset[str], ...]:
    """The order that a checkout states.

    It stands in pyproject.toml as a contract of import-linter; a checkout without contracts states it in its tests, as
    a tuple of sets called ``LAYERS``.

    Raises:
        LookupError: it states none.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    for contract in project["tool"].get("importlinter", {}).get("contracts", ()):
        if contract.get("id") == "layers":
            return tuple(frozenset(re.findall(r"\w+", line)) for line in reversed(contract["layers"]))
    for node in ast.parse((root / "tests" / "test_packaging.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            return tuple(map(frozenset, ast.literal_eval(node.value)))
    raise LookupError(f"{root} states no order of layers")
