"""Turns rows into what the model takes, as they were when it was trained; needs numpy alone. See README.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MISSING, UNKNOWN, FIRST, PAD = 0, 1, 2, -1  # ids, in every field; PAD stands behind the last item of a list
BLANKS = " \t\n\r\v\f\u00a0"
NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)", re.ASCII | re.IGNORECASE)
COMMA_NUMBER = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d*(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0*", re.ASCII)
BRACKETS, QUOTES = re.compile(r"\s*\[(.*)\]\s*", re.ASCII), re.compile(r"[\"'](.*)[\"']")

Found = tuple[Sequence[int], float]
"""Ids of a cell, and its value."""


class Encoder:
    """Call it with rows: gives int64 ids ``[rows, id columns]`` and float32 values ``[rows, value columns]``."""

    def __init__(self, folder: str | Path = "encoding") -> None:
        folder = Path(folder)
        self.map = json.loads((folder / "encoding.json").read_text(encoding="utf-8"))
        self.marks = {"", *self.map["marks"]}
        self.marked = {float(mark) for mark in self.marks if NUMBER.fullmatch(mark)}
        texts = {f["vocabulary"] for f in self.map["fields"] if f["vocabulary"]}
        self.ids = {name: _numbered(json.loads((folder / name).read_text(encoding="utf-8"))) for name in texts}

        for field in self.map["fields"]:
            if "knots" in field:
                field["knots"], field["exact"] = np.array(field["knots"]), np.array(field["exact"])
                field["coarse"] = coarse(field["exact"])

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Rows are dictionaries: texts, numbers, lists, or None where there is nothing."""
        ids = np.full((len(rows), self.map["id_columns"]), PAD, np.int64)
        values = np.zeros((len(rows), self.map["value_columns"]), np.float32)
        for field in self.map["fields"]:
            encode = getattr(self, field["kind"])
            for place, row in enumerate(rows):
                found, value = encode(row[field["column"]], field)
                ids[place, field["id_column"] : field["id_column"] + len(found)] = found
                if field["value_column"] is not None:
                    values[place, field["value_column"]] = value
        return ids, values

    def categorical(self, cell: Any, field: Mapping[str, Any]) -> Found:
        """One id per value of the vocabulary."""
        return [self.look_up(self.name(cell, field), field)], 0.0

    def hashed(self, cell: Any, field: Mapping[str, Any]) -> Found:
        """One id per hash."""
        from encoder_hashes import pandas_hash  # type: ignore[import-not-found]  # it lies beside this file

        name = self.name(cell, field)
        return [MISSING if name is None else FIRST + pandas_hash(name) % (field["size"] - FIRST)], 0.0

    def listed(self, cell: Any, field: Mapping[str, Any]) -> Found:
        """One id per item, of the last items."""
        items = self.items(cell, field) or []
        return [self.look_up(item, field) for item in items[-field["columns"] :]] or [MISSING], 0.0

    def scaled(self, cell: Any, field: Mapping[str, Any]) -> Found:
        """A standardised number."""
        x = self.number(cell, field)
        return ([MISSING], 1.0) if np.isnan(x) else ([1], (x - field["mean"]) / field["std"])

    def log_bucketed(self, cell: Any, field: Mapping[str, Any]) -> Found:
        """Criteo's buckets, each a value of the vocabulary."""
        x = np.clip(self.number(cell, field), -(2.0**62), 2.0**62)
        if np.isnan(x):
            return [MISSING], 0.0
        bucket = np.floor(np.log(x) ** 2) + field["above"] if x > 2 else np.trunc(x)
        return [self.look_up(str(int(bucket)), field)], 0.0

    def binned(self, cell: Any, field: Mapping[str, Any]) -> Found:
        """The knot below a number, and how far it is towards the next one."""
        x, knots, exact = self.number(cell, field), field["knots"], field["exact"]
        if np.isnan(x):
            return [MISSING], 0.0
        hits = field["coarse"] == coarse(x)
        if hits.any():  # a frequent number has an id of its own
            return [FIRST + len(knots) + int(hits.argmax())], 0.0
        if not len(knots):
            return [FIRST + int(np.searchsorted((exact[1:] + exact[:-1]) / 2, x))], 0.0
        x = np.clip(x, knots[0], knots[-1])
        below = int(np.searchsorted(knots, x, side="right")) - 1
        gap = knots[below + 1] - knots[below] if below + 1 < len(knots) else 1.0
        return [FIRST + below], (x - knots[below]) / gap

    def look_up(self, text: str | None, field: Mapping[str, Any]) -> int:
        """The id of a value."""
        return MISSING if text is None else self.ids[field["vocabulary"]].get(text, UNKNOWN)

    def name(self, cell: Any, field: Mapping[str, Any]) -> str | None:
        """A cell as the text that has an id: where all are whole numbers, 7.0 is 7."""
        text = self.text(cell)
        whole = WHOLE_NUMBER.fullmatch(text) if text is not None and field["whole"] else None
        return whole.group(1) if whole else text

    def text(self, cell: Any) -> str | None:
        """A cell as text; None where nothing is in it."""
        if cell is None or cell != cell:  # noqa: PLR0124  # NaN
            return None
        if isinstance(cell, (bool, np.bool_)):
            text = str(cell).lower()
        else:
            text = (shortest(cell) if isinstance(cell, (float, np.floating)) else str(cell)).strip(BLANKS)
        if text in self.marks:
            return None
        comma = self.map["decimal"] == "," and COMMA_NUMBER.fullmatch(text)
        return text.replace(".", "").replace(",", ".") if comma else text

    def items(self, cell: Any, field: Mapping[str, Any]) -> list[str] | None:
        """The items of a list, or of a text with a delimiter between them; None where there is no list."""
        if not isinstance(cell, (list, tuple, np.ndarray)):
            text = self.text(cell)
            if text is None:
                return None
            inner = BRACKETS.fullmatch(text)
            cell = (inner.group(1) if inner else text).split(field["delimiter"])
        texts = [text for text in map(self.text, cell) if text is not None]
        return [quoted.group(1) if (quoted := QUOTES.fullmatch(text)) else text for text in texts]

    def number(self, cell: Any, field: Mapping[str, Any]) -> float:
        """A cell, or the field's part of it, as a number; NaN where nothing is in it."""
        if field["part"] == "length":
            items = self.items(cell, field)
            return np.nan if items is None else float(len(items))
        if field["part"] != "whole":
            from encoder_times import part_of_time  # type: ignore[import-not-found]  # it lies beside this file

            return part_of_time(cell if hasattr(cell, "year") else self.text(cell), field)
        if isinstance(cell, (bool, int, float, np.bool_, np.number)):
            x = float(cell)
        else:
            text = self.text(cell)
            if text is not None and not NUMBER.fullmatch(text):
                if not field["odd_allowed"]:
                    raise ValueError(f"{field['column']}: expected a number, found {text!r}")
                text = None
            x = np.nan if text is None else float(text)
        return x if np.isfinite(x) and x not in self.marked else np.nan


def _numbered(texts: Sequence[str]) -> dict[str, int]:
    return {text: FIRST + place for place, text in enumerate(texts)}


def coarse(x: Any) -> Any:
    """Numbers that share this are one to a bin: the first 15 bits behind the point of float32."""
    largest = float(np.finfo(np.float32).max)
    return (np.clip(x, -largest, largest).astype(np.float32) + np.float32(0)).view(np.uint32) >> 8


def shortest(x: Any) -> str:
    """A number as the shortest text that means it: 7, .25, 1e+10."""
    exponent = int(np.format_float_scientific(x).partition("e")[2]) if x and np.isfinite(x) else 0
    if -7 < exponent < 10:
        return np.format_float_positional(x, trim="-")
    return f"{np.format_float_scientific(x, trim='-').partition('e')[0]}e{exponent:+d}"
