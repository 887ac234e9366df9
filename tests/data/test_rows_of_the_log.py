"""The test split says which rows of the log it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nas_fusion.data import DataOptions, prepare


def test_a_test_row_is_found_again_in_the_log(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"word": rng.choice(list("abcd"), 400), "label": rng.integers(0, 2, 400)})
    frame["split"] = rng.choice(["train", "valid", "test"], 400, p=[0.6, 0.2, 0.2])
    data = prepare(frame, DataOptions(split_column="split", kinds=()), cache=tmp_path / "cache")
    assert data.test.rows is not None
    assert np.asarray(data.test.rows).tolist() == np.flatnonzero(frame["split"] == "test").tolist()
    assert data.test.rows.dtype == np.int64
    assert data.train.rows is None
    words = data.vocabulary("word")
    found = [words[i - 2] for i in np.asarray(data.test.ids)[:, 0]]
    assert found == frame["word"].iloc[np.asarray(data.test.rows)].tolist()
