"""Every unusable log is refused by one line that names file, place and what was expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas_fusion.data import DataOptions, prepare
from nas_fusion.errors import DataError, NasFusionError, OptionError, UnknownNameError

Write = Callable[[str, str], Path]

GOOD = ["a,b,click", *[f"{i % 5},{'xyz'[i % 3]},{i // 2 % 2}" for i in range(100)]]
CRITEO = ["\t".join([str(i % 2), *["3"] * 13, *["68fd1e64"] * 26]) for i in range(200)]
KDD12 = ["\t".join([str(i % 2), *["3"] * 11]) for i in range(50)]
AVAZU = ["id,click,hour,C1", *[f"{i},{i % 2},14102100,{i % 3}" for i in range(50)]]
LIBSVM = [f"{i % 2} {i % 5}:1 20:{i / 7:.3f}" for i in range(1200)]


def with_line(lines: list[str], number: int, line: str) -> str:
    """The lines with one replaced; 1-based."""
    return "\n".join([*lines[: number - 1], line, *lines[number:]]) + "\n"


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


CASES: dict[str, tuple[str, str, dict[str, object], str]] = {
    # file, content, options, message
    "empty": ("log.csv", "", {}, "log.csv: the file is empty"),
    "blank": ("log.csv", "\n\n", {}, "log.csv: the file is empty"),
    "header only": ("log.csv", "a,b,click\n", {}, "log.csv: there is a header but no row"),
    "no label": ("log.csv", text(GOOD).replace("click", "clicked"), {}, "columns are clicked, a, b"),
    "wrong label": ("log.csv", text(GOOD), {"label": "clik"}, "no label column 'clik'; columns are click, a, b"),
    "label 2": ("log.csv", with_line(GOOD, 18, "1,x,2"), {}, "line 18, column 'click': .* 0 or 1, found '2'"),
    "label text": ("log.csv", with_line(GOOD, 18, "1,x,yes"), {}, "line 18, column 'click': .* found 'yes'"),
    "label missing": ("log.csv", with_line(GOOD, 18, "1,x,"), {}, "line 18, column 'click': .* an empty cell"),
    "line after blanks": ("log.csv", with_line(GOOD, 18, "\n\n1,x,2"), {}, "line 20, column 'click'"),
    "ragged": ("log.csv", with_line(GOOD, 18, "1,x"), {}, "line 18: expected 3 columns, found 2"),
    "ragged after blanks": ("log.csv", with_line(GOOD, 18, "\n\n1,x"), {}, "line 20: expected 3 columns, found 2"),
    "ragged first row": ("log.csv", with_line(GOOD, 2, "1,x,0,0"), {}, "line 2: expected 3 columns, found 4"),
    "ragged criteo": ("log.txt", with_line(CRITEO, 7, "1\t2"), {}, "line 7: expected 40 columns, found 2"),
    "ragged kdd12": ("log.txt", with_line(KDD12, 1, "1\t2"), {}, "line 1: expected 12 columns, found 2"),
    "ragged libsvm": ("log.txt", with_line(LIBSVM, 9, "1 2:1"), {}, "line 9: expected 3 columns, found 2"),
    "libsvm pair": ("log.txt", with_line(LIBSVM, 9, "1 2:1 20"), {}, "line 9, column 'field2': .* found '20'"),
    "libsvm number": ("log.txt", with_line(LIBSVM, 1100, "1 2:1 21:3"), {}, "line 1100, column 'field2': .*'21:3'"),
    "criteo number": ("log.txt", with_line(CRITEO, 7, CRITEO[0].replace("3", "x", 1)), {}, "line 7, column 'I1'"),
    "criteo label": ("log.txt", with_line(CRITEO, 7, "7" + CRITEO[0][1:]), {}, "line 7, column 'label'"),
    "kdd12 clicks": ("log.txt", with_line(KDD12, 7, "1.5" + KDD12[0][1:]), {}, "line 7, column 'click': .*'1.5'"),
    "kdd12 negative": ("log.txt", with_line(KDD12, 7, "-1" + KDD12[0][1:]), {}, "line 7, column 'click': .*'-1'"),
    "avazu hour": ("log.csv", with_line(AVAZU, 9, "1,0,14132100,1"), {}, "line 9, column 'hour': .* '14132100'"),
    "avazu clock": ("log.csv", with_line(AVAZU, 9, "1,0,14102124,1"), {}, "line 9, column 'hour'"),
    "one class": ("log.csv", text(["a,click", *["1,0"] * 50]), {}, "column 'click': all 50 labels are 0"),
    "too few": ("log.csv", text(["a,click", "1,0", "2,1"]), {}, "the valid split has no rows"),
    "time column": ("log.csv", text(GOOD), {"split": "time:day"}, "no time column 'day'"),
    "time missing": ("log.csv", with_line(GOOD, 9, ",x,0"), {"split": "time:a"}, "line 9, column 'a': the time"),
    "split column": ("log.csv", text(GOOD), {"split_column": "part"}, "no split column 'part'"),
    "unknown split": ("log.csv", text(GOOD), {"split_column": "b"}, "line 2, column 'b': a split must .* found 'x'"),
    "field": ("log.csv", text(GOOD), {"fields": ("a", "q")}, "no field column 'q'"),
    "label as field": ("log.csv", text(GOOD), {"fields": ("a", "click")}, "column 'click'"),
    "numeric column": ("log.csv", text(GOOD), {"numeric": {"q": "scale"}}, "no numeric column 'q'"),
    "scaled text": ("log.csv", text(GOOD), {"numeric": {"b": "scale"}}, "line 2, column 'b': .* found 'x'"),
    "no field": ("log.csv", text(["click", *["0", "1"] * 20]), {}, "no column is left"),
    "double column": ("log.csv", "a,a,click\n1,2,0\n", {}, "two columns are called 'a'"),
    "not parquet": ("log.parquet", "hello", {}, "cannot be read as Parquet"),
    "not libsvm": ("log.csv", text(GOOD), {"format": "libsvm"}, "line 1: expected 'label index:value"),
    "not avazu": ("log.csv", text(GOOD), {"format": "avazu"}, "has a column 'hour'"),
    "not criteo": ("log.csv", text(GOOD), {"format": "criteo"}, "line 1: expected 40 columns, found 1"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str, write: Write, cache: Path) -> None:
    name, content, options, message = CASES[case]
    path = write(name, content)
    with pytest.raises(DataError, match=message) as caught:
        prepare(path, DataOptions(**options), cache=cache)  # type: ignore[arg-type]
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert not cache.exists() or not list(cache.iterdir())


def test_splits_without_a_class_are_named(cache: Path) -> None:
    for split, label, word in (("valid", 0, "positives"), ("test", 1, "negatives")):
        frame = pd.DataFrame(
            {"x": list("ab") * 15, "label": [0, 1] * 15, "split": np.repeat(["train", "valid", "test"], 10)}
        )
        frame.loc[frame["split"] == split, "label"] = label
        with pytest.raises(DataError, match=rf"the {split} split \(10 rows\) has no {word}"):
            prepare(frame, cache=cache)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        prepare(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="no file is there"):
        prepare(tmp_path)


def test_binary_and_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"PK\0\1" * 100)
    with pytest.raises(DataError, match="binary"):
        prepare(path)
    path.write_bytes(text(GOOD).replace("x", "é").encode("latin1"))
    with pytest.raises(DataError, match="UTF-8"):
        prepare(path)


def test_bad_byte_far_into_a_file(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes((text(GOOD) + text(GOOD[1:]) * 1000).encode() + b"1,\xe9,1\n")
    with pytest.raises(DataError, match=r"UTF-?8"):
        prepare(path, cache=cache)


def test_columns_that_cannot_be_fields(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "log.parquet"
    pd.DataFrame({"x": [[1], [2]] * 20, "label": [0, 1] * 20}).to_parquet(path)
    for log in (path, pd.read_parquet(path)):
        with pytest.raises(DataError, match="column 'x': a column of type list"):
            prepare(log, DataOptions(kinds={"x": "category"}), cache=cache)
        with pytest.raises(DataError, match="column 'x': expected numbers, found a column of type list"):
            prepare(log, DataOptions(kinds={"x": "number"}), cache=cache)


@pytest.mark.parametrize(
    "options",
    [
        {"split": "random:8:1"},
        {"split": "random:8:1:0"},
        {"split": "time"},
        {"split": "alphabetic"},
        {"min_count": 0},
        {"seed": -1},
        {"vocabulary_rows": "test"},
        {"numeric": {"x": "square"}},
        {"fields": ()},
        {"fields": ("a", "a")},
    ],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        DataOptions(**options)  # type: ignore[arg-type]


def test_unknown_format_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'criteo'"):
        DataOptions(format="critio")


@pytest.mark.parametrize("name", ["synthetic:x", "synthetic:0", "synthetic:10:1:2", "synthetic:-5"])
def test_bad_synthetic_names(name: str, cache: Path) -> None:
    with pytest.raises(NasFusionError, match="synthetic:ROWS"):
        prepare(name, cache=cache)
