"""The recipe of a file format: its reader is registered, recognised and encoded, and its errors name the place."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nas_fusion.data import DataOptions, prepare
from nas_fusion.errors import DataError, UnknownNameError
from nas_fusion.log_formats import LOG_FORMATS, LogFormat

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "contributing" / "file-format.md"


@pytest.fixture
def _json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's code as a module, and its line in the registry; both are gone after the test."""
    blocks = re.findall(r"^```python\n(.*?)^```$", RECIPE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    module = ModuleType("jsonl")
    exec(compile(blocks[0], "jsonl", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "jsonl", module)
    monkeypatch.setattr(LOG_FORMATS, "_entries", dict(LOG_FORMATS))
    LOG_FORMATS.register("jsonl", LogFormat("jsonl:JsonLinesSource"))


def write_log(folder: Path, name: str) -> Path:
    """Three users in turn, the third one's name missing; the split of every row."""
    users = ['"ann"', '"bob"', "null"]
    splits = ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    path = folder / name
    lines = [f'{{"click": {i % 2}, "user": {users[i % 3]}, "split": "{splits[i]}"}}\n' for i in range(10)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.mark.usefixtures("_json_lines")
def test_a_log_of_the_new_format_is_encoded(tmp_path: Path) -> None:
    data = prepare(write_log(tmp_path, "log.jsonl"), cache=tmp_path / "cache")
    assert data.vocabulary("user") == ("ann", "bob")
    assert data.train.ids[:, 0].tolist() == [2, 3, 0, 2, 3, 0]
    assert (data.valid.ids[:, 0].tolist(), data.test.ids[:, 0].tolist()) == ([2, 3], [0, 2])
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.usefixtures("_json_lines")
def test_the_format_can_be_named(tmp_path: Path) -> None:
    path = write_log(tmp_path, "log.txt")
    named = prepare(path, DataOptions(format="jsonl"), cache=tmp_path / "cache")
    assert [field.name for field in named.schema.fields] == ["user"]


@pytest.mark.usefixtures("_json_lines")
def test_errors_name_the_place(tmp_path: Path) -> None:
    path = write_log(tmp_path, "log.jsonl")
    path.write_text(path.read_text("utf-8").replace('"click": 1', '"click": 7', 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"log\.jsonl, line 2, column 'click': a label must be 0 or 1, found 7"):
        prepare(path, cache=tmp_path / "cache")


def test_without_the_line_there_is_no_such_format() -> None:
    with pytest.raises(UnknownNameError, match="unknown format 'jsonl'"):
        DataOptions(format="jsonl")
