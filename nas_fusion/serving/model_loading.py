"""`load`: open a saved model. Nothing in it is executed or unpickled, and every file is compared with its checksum."""

from __future__ import annotations

from pathlib import Path

from nas_fusion.data import Schema
from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.data.encoding.vocabulary import Vocabulary
from nas_fusion.data.schema import FIRST_ID
from nas_fusion.errors import DamagedFileError, NasFusionError, words_of
from nas_fusion.serving.model_files import (
    DESIGN,
    DRAWING,
    MANIFEST,
    PROFILE,
    SCHEMA,
    WEIGHTS,
    ModelFiles,
    model_files,
    vocabulary_name,
)
from nas_fusion.serving.model_manifest import ManifestError, ModelManifest
from nas_fusion.serving.module_rebuilding import rebuilt
from nas_fusion.serving.saved_model import SavedModel
from nas_fusion.serving.training_profile import FIELDS, FieldProfile
from nas_fusion.serving.vocabulary_files import read_vocabulary

BEST = "best"
"""The saved model in the folder of a study."""

NOTHING = -1
"""Every file is larger than this."""


def load(path: str | Path, *, verify: bool = True) -> SavedModel:
    """Open a saved model.

    Args:
        path: its folder, a zip of that, or the folder of a study, which stands for its best model.
        verify: read every file once to compare checksums; else only sizes.

    Raises:
        DataError: there is nothing at the path.
        DamagedFileError: there is no saved model, or a file of it is missing, was changed, or is of a newer format;
            names the file.
        StrategyError: the package that makes the model is not installed.
    """
    place = Path(path)
    if not (place / MANIFEST).exists() and (place / BEST / MANIFEST).is_file():
        place = place / BEST
    files = model_files(place)
    manifest = read_manifest(files)
    check_files(files, manifest, largest=None if verify else NOTHING)
    encoding = read_encoding(files, manifest)
    weights = files.tensors(WEIGHTS)
    try:
        module = rebuilt(manifest, encoding.schema, weights)
    except ManifestError as error:
        raise DamagedFileError(files.place(WEIGHTS), error) from error
    return SavedModel(place, manifest, encoding, module)


def check_model(folder: Path, *, largest: int | None = None) -> None:
    """Compare the files of a saved model with their sizes and checksums; it is not opened.

    Args:
        folder: the model's.
        largest: of a larger file, in bytes, only the size is compared.

    Raises:
        DamagedFileError: one of them is missing, cannot be read, or was changed.
    """
    files = model_files(folder)
    check_files(files, read_manifest(files), largest=largest)


def read_manifest(files: ModelFiles) -> ModelManifest:
    """What ``model.json`` says.

    Raises:
        DamagedFileError: it is missing, was changed, or is of a newer format.
    """
    try:
        return ModelManifest.from_dict(files.manifest())
    except ManifestError as error:
        raise DamagedFileError(files.place(MANIFEST), error) from error


def check_files(files: ModelFiles, manifest: ModelManifest, *, largest: int | None = None) -> None:
    """Compare every file that the manifest names with its size and checksum.

    Raises:
        DamagedFileError: one of them is missing, cannot be read, or was changed.
    """
    for name in (SCHEMA, WEIGHTS):
        if name not in manifest.files:
            raise DamagedFileError(files.place(MANIFEST), f"damaged: it does not name {name}")
    for name, seal in manifest.files.items():
        if name.startswith(("/", "\\")) or ".." in Path(name).parts:
            raise DamagedFileError(files.place(MANIFEST), f"refused: {name!r} leads out of the model")
        files.check(name, seal, largest=largest)


def read_encoding(files: ModelFiles, manifest: ModelManifest) -> FittedEncoding:
    """How rows become ids and values.

    Raises:
        DamagedFileError: the schema or a vocabulary is none.
    """
    try:
        schema = Schema.from_dict(files.json(SCHEMA))
    except (KeyError, TypeError, ValueError, AttributeError, NasFusionError) as error:
        if isinstance(error, DamagedFileError):
            raise
        raise DamagedFileError(files.place(SCHEMA), f"damaged: not a schema ({error})") from error
    vocabularies = [_vocabulary(files, manifest, schema, field) for field in range(len(schema.fields))]
    return FittedEncoding.of(schema, vocabularies)


def _vocabulary(files: ModelFiles, manifest: ModelManifest, schema: Schema, field: int) -> Vocabulary | None:
    name = vocabulary_name(field)
    if name not in manifest.files:
        if schema.fields[field].needs_vocabulary:
            raise DamagedFileError(files.place(name), "the file is missing")
        return None
    return read_vocabulary(files, manifest.files, field, schema.fields[field].size - FIRST_ID)


def model_profiles(model: SavedModel) -> list[FieldProfile]:
    """What the fields were like in training; nothing where the model does not say it.

    Raises:
        DamagedFileError: it cannot be read.
    """
    if PROFILE not in model.manifest.files:
        return []
    files = model_files(model.path)
    try:
        return [FieldProfile.from_dict(one) for one in files.json(PROFILE)[FIELDS]]
    except (KeyError, TypeError) as error:
        raise DamagedFileError(files.place(PROFILE), f"damaged: not a profile ({words_of(error)})") from error


def design_files(model: SavedModel) -> tuple[str, str]:
    """What ``design.json`` and ``design.svg`` say; empty where there is none.

    Raises:
        DamagedFileError: one of them cannot be read.
    """
    files = model_files(model.path)
    design, drawing = (files.text(name) if name in model.manifest.files else "" for name in (DESIGN, DRAWING))
    return design, drawing
