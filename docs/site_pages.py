"""Write what the site is built from: ``python docs/site_pages.py build/site``; `make docs` does it.

The start page is the README, the contributors' page is ``CONTRIBUTING.md``, and the reference has a page for every
public package, with every name in its ``__all__``: it cannot go stale.
"""

from __future__ import annotations

import ast
import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
COMMAND_LINE = ("nas_fusion.__main__", "nas_fusion.cli")
"""What the command line is made of: its reference is ``nasfusion --help``."""

BORROWED = {"index.md": "README.md", "contributing/index.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that are files at the top of the repository."""

LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]*)(#[^)]*)?\)")
PICTURES = (".svg", ".png", ".csv")
"""What pages show or link to, apart from pages."""


def public_names() -> dict[str, list[str]]:
    """Every public package or module by its dotted name, with the names in its ``__all__``.

    Public are the packages by the ``__all__`` of their ``__init__.py``, and the modules directly below ``nas_fusion``
    by theirs, or by what they define without a leading underscore.
    """
    found = {}
    for file in sorted(_sources()):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if parts[0] != "nas_fusion":
            parts = ("nas_fusion", *parts)
        if not any(part.startswith("_") and part != "__init__" for part in parts):
            module = ".".join(parts).removesuffix(".__init__")
            if not module.startswith(COMMAND_LINE) and (names := _listed(file)):
                found[module] = names
    return dict(sorted(found.items()))


def reference_page(module: str, names: list[str]) -> str:
    """The page of one package: its docstring, and each of its public names."""
    lines = [f"# {module}", ""]
    lines += [f"::: {module}", "    options:", "      members: []", "      show_root_heading: false", ""]
    for name in names:
        if name != "__version__":
            lines += [f"::: {module}.{name}", ""]
    return "\n".join(lines)


def with_links_of_the_site(text: str, page: str, source: str) -> str:
    """The text with every relative link as the site has it.

    Args:
        text: Markdown.
        page: where the site has it, below ``docs/``.
        source: where the repository has it, from the top. Its links are relative to that.
    """

    def link(match: re.Match[str]) -> str:
        words, target, fragment = match[1], match[2], match[3] or ""
        if "://" in target or not target:
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        home = {origin: name for name, origin in BORROWED.items()}.get(file, file.removeprefix("docs/"))
        inside = (file.startswith("docs/") or file in BORROWED.values()) and file.endswith((".md", *PICTURES))
        if not inside:  # a file of the repository that is no page
            return words
        return f"[{words}]({posixpath.relpath(home, posixpath.dirname(page) or '.')}{fragment})"

    return LINK.sub(link, text)


# Writing the pages -------------------------------------------------------------------------------------------------


def pages() -> dict[str, str]:
    """Every page of the site by its place, with the links of the site."""
    own = {str(file.relative_to(DOCS)): f"docs/{file.relative_to(DOCS)}" for file in DOCS.rglob("*.md")}
    found = {}
    for page, source in (own | BORROWED).items():
        found[page] = with_links_of_the_site((ROOT / source).read_text("utf-8"), page, source)
    return found | {f"reference/{module}.md": reference_page(module, names) for module, names in public_names().items()}


def configuration() -> dict[str, Any]:
    """``mkdocs.yml``, with the contributors' recipes and the reference's pages in the navigation."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    parts = {name: part for entry in config["nav"] if isinstance(entry, dict) for name, part in entry.items()}
    parts["Contributing"][1:1] = sorted(f"contributing/{file.name}" for file in (DOCS / "contributing").glob("*.md"))
    parts["Reference"] += [{module: f"reference/{module}.md"} for module in public_names()]
    return config


def main(folder: Path) -> None:
    """Write everything that the site is built from below `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    for page, text in pages().items():
        (folder / "docs" / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / "docs" / page).write_text(text, "utf-8")
    for picture in (file for suffix in PICTURES for file in DOCS.rglob(f"*{suffix}")):
        target = folder / "docs" / picture.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target)
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(configuration(), sort_keys=False), "utf-8")


# Reading the package -----------------------------------------------------------------------------------------------


def _sources() -> list[Path]:
    tops = [ROOT / top for top in ("nas_fusion", "search_spaces", "baselines", "studies")]
    packages = [file for top in tops for file in top.rglob("__init__.py")]  # rglob follows no symlink
    return [*packages, *(ROOT / "nas_fusion").glob("*.py")]


def _listed(file: Path) -> list[str]:
    """The names in ``__all__``; those that are NNI's own (``*_nni_names``) are documented by NNI."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            assert isinstance(node.value, ast.List)
            return [str(item.value) for item in node.value.elts if isinstance(item, ast.Constant)]
    if file.name == "__init__.py":
        return []
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [name for name in defined if not name.startswith("_")]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
