"""The vocabularies of a saved model: values as Parquet, and, where they are many, an index that is mapped into memory.

Values that are read have to be put in order before one of them can be looked up, which takes seconds for some millions.
So the order is kept, too. It is mapped, so that memory holds what was asked for, as long as there is room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nas_fusion.data.encoding.vocabulary import Vocabulary, VocabularyIndex
from nas_fusion.errors import DamagedFileError
from nas_fusion.serving.model_files import ModelFiles, index_name, vocabulary_name

INDEXED_VALUES = 1 << 17
"""Fewer are put in order within some hundredths of a second."""

COLUMNS = {
    "keys": pa.uint64(), "key_ids": pa.int32(), "texts": pa.large_string(), "text_ids": pa.int32(),
    "hashes": pa.uint64(),
}  # fmt: skip
"""Of an index: a single row, in which each is a list."""


@dataclass(frozen=True)
class KeptValues:
    """The values of a vocabulary, to be read when somebody asks for them.

    Args:
        files: of the model.
        field: position of the field.
        size: how many there are.
    """

    files: ModelFiles
    field: int
    size: int

    def __call__(self) -> pa.Array:
        """The values in the order of their ids, large_string ``[values]``.

        Raises:
            DamagedFileError: they cannot be read, or are others.
        """
        name = vocabulary_name(self.field)
        table = self.files.table(name)
        is_text = table.column_names == ["value"] and table.schema.field(0).type in (pa.string(), pa.large_string())
        if not is_text or table.num_rows != self.size:
            raise DamagedFileError(self.files.place(name), "damaged: not the vocabulary of its field")
        return table.column("value").combine_chunks().cast(pa.large_string())


def write_vocabulary(folder: Path, field: int, vocabulary: Vocabulary) -> list[str]:
    """Write a field's vocabulary, and its index where it is long; the names of the files.

    Raises:
        OSError: it cannot be written.
    """
    pq.write_table(pa.table({"value": vocabulary.values}), folder / vocabulary_name(field))
    return [vocabulary_name(field), *write_index(folder, field, vocabulary)]


def write_index(folder: Path, field: int, vocabulary: Vocabulary) -> list[str]:
    """Write the index of a vocabulary, if it is a long one; the names of the files.

    Raises:
        OSError: it cannot be written.
    """
    if len(vocabulary) < INDEXED_VALUES:
        return []
    index = vocabulary.index.by_hash()
    lists = [_one_list(pa.array(getattr(index, name), kind)) for name, kind in COLUMNS.items()]
    batch = pa.record_batch(lists, names=list(COLUMNS))
    with pa.OSFile(str(folder / index_name(field)), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    return [index_name(field)]


def _one_list(values: pa.Array) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values)


def read_vocabulary(files: ModelFiles, names: Mapping[str, object], field: int, size: int) -> Vocabulary:
    """A field's vocabulary, by its index if there is one.

    Args:
        files: of the model.
        names: of the files that the model has.
        field: its position.
        size: how many values there have to be.

    Raises:
        DamagedFileError: it is none.
    """
    values = KeptValues(files, field, size)
    name = index_name(field)
    if name not in names:
        return Vocabulary(values())
    batch = files.batch(name)
    wanted = [(column, pa.large_list(kind)) for column, kind in COLUMNS.items()]
    if [(one.name, one.type) for one in batch.schema] != wanted or batch.num_rows != 1:
        raise DamagedFileError(files.place(name), "damaged: not the index of a vocabulary")
    found = {column: batch.column(column).flatten() for column in COLUMNS}
    lengths = [len(found[column]) for column in COLUMNS]
    if lengths[0] != lengths[1] or len(set(lengths[2:])) > 1 or lengths[0] + lengths[2] != size:
        raise DamagedFileError(files.place(name), "damaged: not the index of its field's vocabulary")
    texts = found.pop("texts")
    return Vocabulary(values, VocabularyIndex(texts=texts, **{key: np.asarray(array) for key, array in found.items()}))
