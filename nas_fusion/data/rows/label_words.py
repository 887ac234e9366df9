"""`LabelReader`: a column of labels as 0 and 1, whether it holds numbers or words."""

from __future__ import annotations

from collections import Counter
from shlex import quote
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas_fusion.data.sources.cells import NUMBER, CellError
from nas_fusion.data.sources.cells import shown as shown_cell
from nas_fusion.data.sources.chunk import Chunk
from nas_fusion.errors import LONGEST_NAME, listed, shortened, shown

Codes = npt.NDArray[np.int8]
"""One byte per row."""

PAIRS = (
    ("0", "1"), ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("off", "on"), ("negative", "positive"),
    ("neg", "pos"), ("-1", "1"),
)  # fmt: skip
"""Two words, in any case, of which nobody doubts which one is the positive; numbers as numbers."""

CLICKS_FORM = "a number of clicks must be a non-negative integer"

_CODES = {word: code for code, word in enumerate(dict.fromkeys(word for pair in PAIRS for word in pair))}
_STRANGE = -1
_MOST_STRANGE = 8
"""So many words that are in no pair are remembered, for messages."""


class _Word(NamedTuple):
    """A word as it first stands in the log, how a message shows the cell, and its row."""

    text: str
    cell: str
    row: int


class Labels(NamedTuple):
    """Labels 0 and 1, int8 ``[rows]``, and the words, or numbers, that mean them; none where clicks are counted."""

    labels: Codes
    negative: str
    positive: str


class LabelReader:
    """Reads the label of every row. Life: `observe` for every chunk, `result` once.

    Args:
        column: of the labels.
        positive: the word that is the positive, where the user said it; every other word is then a negative.
        counts_clicks: whether a cell is a number of clicks, any of which makes the label 1.
    """

    def __init__(self, column: str, positive: str | None = None, *, counts_clicks: bool = False) -> None:
        self.column, self.positive, self.counts_clicks = column, positive, counts_clicks
        self._codes: list[Codes] = []
        self._seen: dict[str, _Word] = {}
        self._counts: Counter[str] = Counter()

    def observe(self, chunk: Chunk) -> None:
        """Take in a chunk.

        Raises:
            DataError: there is no such column, a label is missing, or a cell is no number of clicks.
        """
        if self.counts_clicks and self.positive is None:
            self._codes.append(_clicked(chunk, self.column))
            return
        found = chunk.categories(self.column)
        with chunk.naming(self.column):
            if (found.codes < 0).any():
                index = int((found.codes < 0).argmax())
                raise CellError(f"a label must be 0 or 1, found {shown_cell(chunk.column(self.column)[index])}", index)
        texts = [str(text) for text in found.values.to_pylist()]
        words = [_canonical(text) for text in texts]
        for value, (text, word) in enumerate(zip(texts, words, strict=True)):
            if word not in self._seen and (word in _CODES or len(self._seen) < len(_CODES) + _MOST_STRANGE):
                rows = np.flatnonzero(found.codes == value)
                if len(rows):
                    cell = shown_cell(chunk.column(self.column)[int(rows[0])])
                    self._seen[word] = _Word(text, cell, chunk.first_row + int(rows[0]))
        for word, count in zip(words, found.counts().tolist(), strict=True):
            self._counts[word if word in _CODES else ""] += count
        if self.positive is None:
            codes = [_CODES.get(word, _STRANGE) for word in words]
        else:
            codes = [int(word == _canonical(self.positive)) for word in words]
        self._codes.append(np.array(codes, np.int8)[found.codes])

    def result(self) -> Labels:
        """The labels of all rows.

        Raises:
            CellError: they are not two words that are known; `index` is the row of the first odd one in the log.
        """
        codes = np.concatenate(self._codes) if self._codes else np.zeros(0, np.int8)
        if self.positive is not None:
            return self._said(codes)
        if self.counts_clicks:
            return Labels(codes, "0", "1")
        covered = {pair: sum(self._counts[word] for word in pair) for pair in PAIRS}
        pair = max(PAIRS, key=lambda pair: covered[pair])
        if covered[pair] < len(codes):
            self._refuse(pair, covered[pair], len(codes))
        return Labels((codes == _CODES[pair[1]]).astype(np.int8), *pair)

    def _said(self, codes: Codes) -> Labels:
        words = {_canonical(str(self.positive)): str(self.positive)}
        others = [word.text for name, word in self._seen.items() if name not in words]
        if len(codes) and not codes.any():
            raise CellError(f"no label is {shown(self.positive)}; labels are {listed(map(shown, others))}")
        return Labels(codes, others[0] if len(others) == 1 else "all others", str(self.positive))

    def _refuse(self, pair: tuple[str, str], covered: int, rows: int) -> None:
        """Say which label is odd, or that the user has to say which of two is the positive."""
        if len(self._seen) == 2 and covered * 10 < rows * 9:
            one, other = (shortened(word, LONGEST_NAME) for word in sorted(seen.text for seen in self._seen.values()))
            raise CellError(
                f"labels are {shown(one)} and {shown(other)}; say which one is the positive: "
                f"--positive {quote(one)} or --positive {quote(other)}"
            )
        expected = pair if covered else PAIRS[0]
        odd = min((word for name, word in self._seen.items() if name not in expected), key=lambda word: word.row)
        remedy = "" if covered * 2 > rows else "; --positive WORD says which value is the positive"
        raise CellError(f"a label must be {' or '.join(expected)}, found {odd.cell}{remedy}", odd.row)


def _clicked(chunk: Chunk, column: str) -> Codes:
    clicks = chunk.numbers(column)
    with chunk.naming(column):
        good = (clicks >= 0) & (clicks == np.floor(clicks))
        if not good.all():
            index = int(good.argmin())
            raise CellError(f"{CLICKS_FORM}, found {shown_cell(chunk.column(column)[index])}", index)
    return (clicks > 0).astype(np.int8)


def _canonical(word: str) -> str:
    """A word in lower case; a whole number as it is counted, "1.0" as "1"."""
    text = word.strip().lower()
    if NUMBER.match(text):
        number = float(text)
        return str(int(number)) if number.is_integer() else str(number)
    return text
