"""Looking up values gives back what was counted, for any texts; streaming statistics equal those of the whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas_fusion.data import MISSING_ID, UNKNOWN_ID, DataOptions, prepare
from nas_fusion.data.encoding.numeric import Moments, QuantileSketch, ordered_keys
from nas_fusion.data.encoding.vocabulary import ValueCounter, Vocabulary
from nas_fusion.data.sources.cells import BLANKS, COMMON_MARKS, categories

# Short and long texts, zero bytes, several bytes per character, prefixes of each other.
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["a", "a\0", "a\0\0", "12345678", "123456789", "ä", "ääää", "äääää", "0", "00"]),
    st.integers(-(10**20), 10**20).map(str),
)


RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


@RELAXED
@given(st.lists(TEXTS, unique=True), st.lists(TEXTS))
def test_lookup_equals_a_dictionary(known: list[str], wanted: list[str]) -> None:
    expected = {text: i + 2 for i, text in enumerate(known)}
    found = Vocabulary(large(known)).ids(large([*wanted, *known]))
    assert found.tolist() == [expected.get(text, UNKNOWN_ID) for text in [*wanted, *known]]


@RELAXED
@given(st.lists(st.lists(st.one_of(st.none(), TEXTS))), st.integers(1, 3))
def test_counting_in_chunks_equals_counting_at_once(chunks: list[list[str | None]], min_count: int) -> None:
    counter = ValueCounter()
    for chunk in chunks:
        counter.add(categories(pa.array(chunk, pa.string())))
    values, counts = counter.result()
    cells = [(text or "").strip(BLANKS) for chunk in chunks for text in chunk]
    expected = Counter(cell for cell in cells if cell and cell not in COMMON_MARKS)
    assert dict(zip(values.to_pylist(), counts.tolist(), strict=True)) == expected
    assert counter.missing == len(cells) - expected.total()
    kept = Vocabulary.fit(values, counts, min_count).values.to_pylist()
    assert set(kept) == {text for text, count in expected.items() if count >= min_count}
    assert [expected[text] for text in kept] == sorted((expected[text] for text in kept), reverse=True)


@settings(RELAXED, max_examples=20)
@given(st.lists(st.one_of(st.none(), st.text(max_size=9)), min_size=30, max_size=60))
def test_ids_decode_to_the_values(tmp_path_factory: object, column: list[str | None]) -> None:
    folder: Path = tmp_path_factory.mktemp("cache")  # type: ignore[attr-defined]
    frame = pd.DataFrame({"x": pd.Series(column, dtype="str"), "label": np.arange(len(column)) % 2})
    split = np.repeat(["train", "valid", "test"], [len(column) - 8, 4, 4])
    data = prepare(frame.assign(split=split), DataOptions(min_count=1, kinds={"x": "category"}), cache=folder)
    words = dict(enumerate(data.vocabulary("x"), start=2))
    for name, texts in (("train", column[:-8]), ("valid", column[-8:-4]), ("test", column[-4:])):
        for found, text in zip(getattr(data, name).ids[:, 0].tolist(), texts, strict=True):
            cell = (text or "").strip(BLANKS)
            if not cell or cell in COMMON_MARKS:
                assert found == MISSING_ID
            elif found == UNKNOWN_ID:
                assert cell not in {(t or "").strip(BLANKS) for t in column[:-8]}
            else:
                assert words[found] == cell


NUMBERS = st.floats(-1e30, 1e30, allow_nan=False)


@RELAXED
@given(st.lists(st.lists(st.integers(-(10**9), 10**9).map(lambda i: i / 1000), max_size=20), max_size=5))
def test_moments_of_chunks(chunks: list[list[float]]) -> None:
    moments = Moments()
    for chunk in chunks:
        moments.add(np.array(chunk, np.float64))
    together = np.array([x for chunk in chunks for x in chunk])
    if len(together):
        np.testing.assert_allclose(moments.mean, together.mean(), rtol=1e-9, atol=1e-6)
        expected = together.std() if len(set(together)) > 1 else 1.0
        np.testing.assert_allclose(moments.std, expected, rtol=1e-6, atol=1e-6)


def test_moments_of_large_numbers_that_differ_little() -> None:
    x = 1e12 + np.arange(1000, dtype=np.float64)
    moments = Moments()
    moments.add(x[:1])
    moments.add(x[1:])
    np.testing.assert_allclose([moments.mean, moments.std], [x.mean(), x.std()], rtol=1e-12)


@RELAXED
@given(st.lists(st.lists(NUMBERS, max_size=40), max_size=6))
def test_a_sketch_counts_what_can_be_told_apart(chunks: list[list[float]]) -> None:
    sketch = QuantileSketch()
    for chunk in chunks:
        sketch.add(np.array(chunk, np.float64))
    together = np.sort(np.array([x for chunk in chunks for x in chunk], np.float64))
    smallest, counts = sketch.counted()
    assert counts.sum() == len(together)
    assert sketch.distinct == len(smallest) == len(set(ordered_keys(together).tolist()))
    assert sketch.top_count == max(counts.tolist(), default=0)
    places = np.searchsorted(together, smallest)
    np.testing.assert_array_equal(together[places], smallest)  # every one was seen
    np.testing.assert_array_equal(np.diff(np.append(places, len(together))), counts)
