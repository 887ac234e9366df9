"""The index of a long vocabulary: the ids that the values themselves give, without putting them in order again."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import nas_fusion
from nas_fusion.data import UNKNOWN_ID
from nas_fusion.data.encoding import vocabulary as vocabularies
from nas_fusion.data.encoding.vocabulary import Vocabulary, VocabularyIndex
from nas_fusion.errors import DamagedFileError
from nas_fusion.serving import vocabulary_files
from nas_fusion.serving.model_files import FolderFiles, index_name
from nas_fusion.serving.vocabulary_files import read_vocabulary, write_vocabulary
from tests.serving.small_model import ROWS, reseal, save_small

TEXTS = [
    *(f"{k * 2654435761 % 2**32:08x}" for k in range(400)),
    *(f"a user called {k}" for k in range(300)),
    "a\0",
    "ä",
]
ASKED = [*TEXTS[::3], "deadbeef", "a user called nobody", "a", "a\0\0", "ä", "äääääää"]


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vocabulary_files, "INDEXED_VALUES", 1)
    (tmp_path / "vocabularies").mkdir()
    names = write_vocabulary(tmp_path, 0, Vocabulary(large(TEXTS)))
    assert names == ["vocabularies/000.parquet", "vocabularies/000.index.arrow"]
    return tmp_path


def opened(folder: Path) -> Vocabulary:
    return read_vocabulary(FolderFiles(folder), {index_name(0): {}}, 0, len(TEXTS))


@pytest.mark.parametrize("few_long", [0, 1 << 20])
def test_ids_are_those_of_the_values(few_long: int, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabularies, "FEW_LONG", few_long)
    places = {text: place + 2 for place, text in enumerate(TEXTS)}
    expected = [places.get(text, UNKNOWN_ID) for text in ASKED]
    for found in (opened(written), Vocabulary(large(TEXTS))):
        assert len(found) == len(TEXTS)
        assert found.ids(large(ASKED)).tolist() == expected
        assert [found.id_of(text) for text in ASKED] == expected
        assert found.values.to_pylist() == TEXTS


def test_texts_of_one_hash_are_told_apart(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabularies, "FEW_LONG", 0)
    monkeypatch.setattr(vocabularies, "hashes_of", lambda texts: np.array([len(t) % 3 for t in texts], np.uint64))
    write_vocabulary(tmp_path, 0, Vocabulary(large(TEXTS)))
    places = {text: place + 2 for place, text in enumerate(TEXTS)}
    found = opened(tmp_path)
    assert found.ids(large(ASKED)).tolist() == [places.get(text, UNKNOWN_ID) for text in ASKED]
    assert [found.id_of(text) for text in ASKED] == [places.get(text, UNKNOWN_ID) for text in ASKED]


def test_values_are_read_when_they_are_asked_for(written: Path) -> None:
    found = opened(written)
    (written / "vocabularies/000.parquet").unlink()
    assert found.id_of(TEXTS[5]) == 7
    with pytest.raises(DamagedFileError, match=r"000.parquet"):
        _ = found.values


def test_a_model_with_an_index_scores_as_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = save_small(tmp_path / "plain")
    monkeypatch.setattr(vocabulary_files, "INDEXED_VALUES", 1)
    folder = save_small(tmp_path / "indexed")
    assert "vocabularies/000.index.arrow" in json.loads((folder / "model.json").read_text())["files"]
    assert not (plain / "vocabularies/000.index.arrow").exists()
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    expected = nas_fusion.load(plain).scores(ROWS).tolist()
    for place in (folder, tmp_path / "model.zip"):
        model = nas_fusion.load(place)
        assert model.scores(ROWS).tolist() == expected
        first = {str(name): value for name, value in ROWS.iloc[0].items()}
        assert model.scores([first]) == pytest.approx(expected[:1])
        vocabulary = model.encoding.vocabularies[0]
        assert vocabulary is not None
        assert vocabulary.values.to_pylist()[:2] == ["ann", "bob"]


@pytest.mark.parametrize("harm", ["garbage", "no batch", "other columns", "other sizes", "no text"])
def test_a_damaged_index_is_refused_by_name(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary_files, "INDEXED_VALUES", 1)
    folder = save_small(tmp_path / "model")
    place = folder / "vocabularies/000.index.arrow"
    with pa.OSFile(str(place)) as file:
        batch = pa.ipc.open_file(file).read_all().to_batches()[0]
    if harm == "garbage":
        place.write_bytes(b"ARROW1 and nothing else")
    else:
        columns = {name: batch.column(name) for name in batch.schema.names}
        if harm == "other columns":
            del columns["hashes"]
        if harm == "other sizes":
            columns["keys"] = pa.array([[1]], pa.large_list(pa.uint64()))
        if harm == "no text":
            buffers = [None, pa.array([0, 2], pa.int64()).buffers()[1], pa.py_buffer(b"\xff\xfe")]
            texts = pa.Array.from_buffers(pa.large_string(), 1, buffers)
            columns["texts"] = pa.LargeListArray.from_arrays(pa.array([0, 1], pa.int64()), texts)
        changed = pa.record_batch(list(columns.values()), names=list(columns))
        with pa.OSFile(str(place), "wb") as file, pa.ipc.new_file(file, changed.schema) as writer:
            if harm != "no batch":
                writer.write_batch(changed)
    with pytest.raises(DamagedFileError, match=r"000.index.arrow"):
        nas_fusion.load(folder)
    reseal(folder)
    with pytest.raises(DamagedFileError, match=r"no table can be read|not the index of") as caught:
        nas_fusion.load(folder)
    assert caught.value.path == place


def test_models_without_an_index_still_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those that were saved before there was one."""
    monkeypatch.setattr(vocabulary_files, "INDEXED_VALUES", 1)
    folder = save_small(tmp_path / "model")
    expected = nas_fusion.load(folder).scores(ROWS).tolist()
    older = shutil.copytree(folder, tmp_path / "older")
    (older / "vocabularies/000.index.arrow").unlink()
    reseal(older, lambda content: content["files"].pop("vocabularies/000.index.arrow", None))
    assert nas_fusion.load(older).scores(ROWS).tolist() == expected


def test_an_index_has_every_value_once() -> None:
    index = VocabularyIndex.of(large(TEXTS)).by_hash()
    assert index.hashes is not None
    assert (np.diff(index.hashes.astype(object)) >= 0).all()
    assert sorted([*index.key_ids, *index.text_ids]) == list(range(2, len(TEXTS) + 2))
    assert index.by_hash() is index
