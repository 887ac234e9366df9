"""`describe` tells what is in a log."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nas_fusion.data import DataOptions, FieldKind, FieldSummary, describe, prepare


@pytest.fixture
def frame() -> pd.DataFrame:
    train = ["a"] * 5 + ["b"] * 3 + ["c"] + [None]
    valid = ["a", "z", "y", None]
    test = ["z", "a"]
    return pd.DataFrame(
        {
            "x": train + valid + test,
            "n": [1.0] * 8 + [2.0] * 8,
            "label": [0, 1] * 8,
            "split": ["train"] * 10 + ["valid"] * 4 + ["test"] * 2,
        }
    )


def test_summary(frame: pd.DataFrame, cache: Path) -> None:
    summary = describe(frame, DataOptions(numeric={"n": "scale"}), cache=cache)
    assert (summary.label, summary.rows, summary.label_rate) == ("label", 16, 0.5)
    assert summary.split_rows == {"train": 10, "valid": 4, "test": 2}
    assert summary.num_features == 4 + 2
    assert summary.attainable_auc is None
    x, n = summary.fields
    assert x == FieldSummary(
        name="x",
        kind=FieldKind.CATEGORICAL,
        distinct=3,
        size=4,  # missing, unknown (c among them), a, b
        missing=2,
        top_share=0.5,
        valid_unknown=0.5,
        test_unknown=0.5,
    )
    assert (n.kind, n.distinct, n.top_share, n.valid_unknown) == (FieldKind.SCALED, 2, 0.8, 0.0)


def test_an_encoded_data_set_tells_the_same(frame: pd.DataFrame, cache: Path) -> None:
    assert describe(prepare(frame, cache=cache)) == describe(frame, cache=cache)
