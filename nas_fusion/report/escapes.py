"""Text that is not ours (names, settings, reasons, commands) as terminals, pages, figures and files show it.

A study folder may be a stranger's. Whatever its text holds is shown and never obeyed: each place where text goes has
its own function here, and all of them write control characters as escapes first.
"""

from __future__ import annotations

import html
import re

from nas_fusion.errors import harmless

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#~|!&$@^]|(?<=:)/(?=/)|(?<=www)\.)", re.IGNORECASE)
_BLOCK = re.compile(r"^(?:([-+=:])|(\d+)([.)]))")
"""At the start of a line Markdown takes these for lists, rules and headings."""
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "[": "{[}", "]": "{]}", "*": "{*}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "≈": r"$\approx$", "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\to$",
    "←": r"$\gets$", "−": "$-$", "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "α": r"$\alpha$", "…": r"\dots{}",
}  # fmt: skip
"""Brackets and stars too: after the end of a row LaTeX takes them for its options. Then what our own words hold."""
_LATEX_KNOWS = "–—‘’“”†‡§¶©®°µ¡¿"
_LATIN = 0x100
"""Letters before this one pdfLaTeX sets; those of other scripts want LuaLaTeX or XeLaTeX."""

_FORMULA = ("=", "+", "-", "@")


def clean(text: str, *, lines: bool = False) -> str:
    """Text without anything that acts on whoever shows it: white space is a space, other controls are `harmless`.

    Args:
        text: any, lone surrogates included.
        lines: keep the ends of lines.
    """
    found = re.split(r"\r\n|\r|\n", text)
    return ("\n" if lines else " ").join(harmless("".join(" " if c.isspace() else c for c in line)) for line in found)


def html_text(text: str, *, lines: bool = False) -> str:
    """Text in HTML and SVG, in elements and in attributes."""
    return html.escape(clean(text, lines=lines))


def figure_text(text: str) -> str:
    """Text in a plotly figure, which takes tags for its own, ``$…$`` for a formula and ``%{…}`` for a value."""
    return html_text(text).replace("%{", "%&#123;").replace("$", "&#36;")


def terminal_text(text: str) -> str:
    """Text in a line that rich prints with its markup."""
    from rich.markup import escape

    return escape(clean(text))


def markdown_text(text: str) -> str:
    """Text in a line, a heading or a cell of Markdown: neither markup nor a link of its own."""
    return _MARKDOWN.sub(r"\\\1", " ".join(clean(text).split()))


def markdown_item(text: str) -> str:
    """Text at the start of a line, a list's item included."""
    return _BLOCK.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", markdown_text(text))


def markdown_code(text: str) -> str:
    """A block of code."""
    shown = clean(text, lines=True)
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}text\n{shown}\n{fence}"


def latex_text(text: str) -> str:
    """Text in LaTeX; a sign that is neither a letter nor known to LaTeX is told by its number."""
    return "".join(map(_latex, clean(text)))


def _latex(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    known = character.isascii() or character.isalpha() or character in _LATEX_KNOWS
    return character if known else f"U+{ord(character):04X}"


def is_latin(text: str) -> bool:
    """Whether every letter is one that pdfLaTeX sets."""
    return all(ord(c) < _LATIN for c in text if c.isalpha())


def dot_text(text: str) -> str:
    """Text in DOT: a quoted string, in which lines stay lines."""
    shown = clean(text, lines=True).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + shown.replace("\n", "\\n") + '"'


def csv_text(text: str) -> str:
    """Text in a cell of a CSV file: what a spreadsheet would run as a formula gets an apostrophe before it."""
    shown = clean(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
