"""Lists and hashed columns, against a plain loop over cells."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas_fusion.data import MISSING_ID, UNKNOWN_ID, DataOptions, prepare
from nas_fusion.data.sources import Chunk
from nas_fusion.field_shapes import PAD, FieldForm

ITEMS = st.lists(st.sampled_from(["a", "b", "c", "d e", "7"]), max_size=6)


def encoded_by_loop(train: list[list[str]], cells: list[list[str]], length: int) -> list[list[int]]:
    """The ids of lists: most frequent item first, ties by value; the last `length` items; pads at the end."""
    counts = Counter(item for cell in train for item in cell)
    order = sorted((item for item in counts if counts[item] >= 2), key=lambda item: (-counts[item], item))
    ids = {item: place for place, item in enumerate(order, start=2)}
    rows = []
    for cell in cells:
        row = [ids.get(item, UNKNOWN_ID) for item in cell][-length:] or [MISSING_ID]
        rows.append(row + [PAD] * (length - len(row)))
    return rows


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ITEMS, min_size=24, max_size=40), st.integers(1, 7), st.booleans())
def test_lists_equal_a_plain_loop(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], length: int, as_text: bool
) -> None:
    train, held = cells[:-8], cells[-8:]
    column: list[object] = ["|".join(cell) for cell in cells] if as_text else list(cells)
    split = np.repeat(["train", "valid", "test"], [len(train), 4, 4])
    frame = pd.DataFrame({"x": column, "label": np.arange(len(cells)) % 2, "split": split})
    options = DataOptions(kinds={"x": "list"}, list_length=length, list_delimiter="|")
    data = prepare(frame, options, cache=tmp_path_factory.mktemp("cache"))
    field, length_field = data.schema.fields
    longest = min(length, max((len(cell) for cell in train), default=1) or 1)
    assert (field.shape.form, field.columns, length_field.name) == (FieldForm.LIST, longest, "x.length")
    expected = encoded_by_loop(train, train, longest), encoded_by_loop(train, held, longest)
    np.testing.assert_array_equal(data.train.ids[:, :longest], expected[0])
    found = np.concatenate([data.valid.ids, data.test.ids])[:, :longest]
    np.testing.assert_array_equal(found, expected[1])
    assert data.train.numbers is not None
    # An empty text is a missing list, an empty list is a list without items.
    lengths = [len(cell) or (np.nan if as_text else 0) for cell in train]
    np.testing.assert_array_equal(data.train.numbers[:, 0], np.array(lengths, np.float32))


def test_missing_lists_and_items(tmp_path: Path) -> None:
    cells = [["a", None, "b"], None, [], ["", "a"]] * 10
    frame = pd.DataFrame(
        {"x": cells, "label": np.arange(40) % 3 % 2, "split": ["train"] * 32 + ["valid"] * 4 + ["test"] * 4}
    )
    data = prepare(frame, cache=tmp_path)
    assert data.train.ids[:4, :2].tolist() == [[2, 3], [MISSING_ID, PAD], [MISSING_ID, PAD], [2, PAD]]
    assert data.train.numbers is not None
    np.testing.assert_array_equal(data.train.numbers[:4, 0], [2, np.nan, 0, 1])
    (statistics, _) = data.statistics["fields"]
    assert (statistics["missing"]["train"], statistics["unknown"]["train"]) == (16, 0)


def test_hashes_need_no_vocabulary_and_stay_the_same(tmp_path: Path) -> None:
    texts = [f"query {k}" for k in range(200)]
    frame = pd.DataFrame({"x": [*texts, None, None], "label": np.arange(202) % 2})
    options = DataOptions(hash={"x": "1000"}, split="random:2:1:1")
    one, other = (
        prepare(frame.iloc[order], options, cache=tmp_path) for order in (np.arange(202), np.arange(202)[::-1])
    )
    assert one.schema.fields[0].size == 1002
    assert [f.kind.value for f in one.schema.fields] == ["hashed"]
    for data in (one, other):
        ids = np.concatenate([split.ids[:, 0] for split in (data.train, data.valid, data.test)])
        assert (ids == MISSING_ID).sum() == 2
        assert not (ids == UNKNOWN_ID).any()  # no value is unknown, seen or not
        assert len(set(ids.tolist())) > 150
    # The same text has the same id, whatever rows were seen.
    texts_ids = one.encoding().encode(_rows(["query 3", "never seen"])).ids[:, 0].tolist()
    assert other.encoding().encode(_rows(["query 3", "never seen"])).ids[:, 0].tolist() == texts_ids
    assert texts_ids == [HASH_OF_QUERY_3, HASH_OF_NEVER_SEEN]


HASH_OF_QUERY_3, HASH_OF_NEVER_SEEN = 691, 110
"""Of 1,000: another version of a library must not change what models have learnt."""


def _rows(texts: list[str]) -> Chunk:
    return Chunk(pa.table({"x": texts}))
