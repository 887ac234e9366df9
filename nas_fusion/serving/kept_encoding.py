"""How rows become ids, on the disk: ``schema.json`` and one Parquet file per vocabulary."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_fusion.data import EncodedDataset, Schema
from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.data.encoding.encoded_files import read_vocabulary, vocabulary_file
from nas_fusion.data.schema import FIRST_ID
from nas_fusion.errors import DamagedFileError, WriteError
from nas_fusion.serving.model_files import PROFILE, SCHEMA, VOCABULARIES, vocabulary_name
from nas_fusion.serving.training_profile import profile_text, profiles
from nas_fusion.serving.vocabulary_files import INDEXED_VALUES, write_index, write_vocabulary
from nas_fusion.system.files import lock_file, new_folder, write_text
from nas_fusion.system.seals import check_file, read_sealed, seal_of_file, sealed

logger = logging.getLogger("nas_fusion")

SEALS = "seals.json"
CHECKED_WHOLE = 1 << 24
"""Files up to this many bytes are compared with their checksum before another model shares them."""

Seals = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class KeptEncoding:
    """An encoding that lies in a folder already, in the form that a saved model has it.

    Many models of one log share it: its files get a second name in the folder of each, and are stored once.

    Args:
        folder: where it lies.
        schema: what it makes.
        seals: size and checksum of every file, by name.
    """

    folder: Path
    schema: Schema
    seals: Seals


def write_encoding(folder: Path, encoding: FittedEncoding) -> Seals:
    """Write an encoding into an existing folder; size and checksum of every file, by name.

    Raises:
        WriteError: it cannot be written.
    """
    write_schema_file(folder, encoding.schema)
    names = [SCHEMA]
    try:
        (folder / VOCABULARIES).mkdir(exist_ok=True)
        for field, vocabulary in enumerate(encoding.vocabularies):
            if vocabulary is not None:
                names += write_vocabulary(folder, field, vocabulary)
    except OSError as error:
        raise WriteError(folder / VOCABULARIES, error.strerror or error) from error
    return {name: seal_of_file(folder / name) for name in names}


def write_schema_file(folder: Path, schema: Schema) -> None:
    """Write ``schema.json``.

    Raises:
        WriteError: it cannot be written.
    """
    write_text(folder / SCHEMA, json.dumps(schema.to_dict(), indent=1) + "\n")


def keep_encoding(folder: Path, dataset: EncodedDataset) -> KeptEncoding:
    """The encoding of a data set in a folder of its own, written there if it is not yet; processes take turns.

    It is a copy: the data set's own files may go away, or be damaged.

    Raises:
        WriteError: it cannot be written.
    """
    with lock_file(folder.with_name(f".{folder.name}.lock")):
        seals = _kept_seals(folder, dataset.fingerprint)
        if seals is None:
            with new_folder(folder) as place:
                seals = _copied(place, dataset)
                write_text(place / SEALS, sealed({"fingerprint": dataset.fingerprint, "files": seals}) + "\n")
    return KeptEncoding(folder, dataset.schema, seals)


def _copied(place: Path, dataset: EncodedDataset) -> Seals:
    write_schema_file(place, dataset.schema)
    names = [SCHEMA]
    (place / VOCABULARIES).mkdir()
    for field in range(len(dataset.schema.fields)):
        source = vocabulary_file(dataset.path, field)
        if source.exists():
            names.append(vocabulary_name(field))
            shutil.copyfile(source, place / names[-1])
            long = dataset.schema.fields[field].size - FIRST_ID >= INDEXED_VALUES
            if long and (vocabulary := read_vocabulary(dataset.path, field)) is not None:
                names += write_index(place, field, vocabulary)
    write_text(place / PROFILE, profile_text(profiles(dataset.schema, dataset.train)))
    names.append(PROFILE)
    return {name: seal_of_file(place / name) for name in names}


def _kept_seals(folder: Path, fingerprint: str) -> Seals | None:
    """Sizes and checksums of what was kept; None where it has to be written, again or for the first time."""
    if not folder.exists():
        return None
    try:
        content = read_sealed(folder / SEALS)
        if content["fingerprint"] != fingerprint:
            return None
        for name, seal in content["files"].items():
            check_file(folder / name, seal, largest=CHECKED_WHOLE)
    except DamagedFileError as error:
        logger.warning("%s: it is written again", error)
        return None
    seals: Seals = content["files"]
    return seals
