"""`save_model`: write a trained model with everything that it needs into a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from nas_fusion.data.encoding import FittedEncoding
from nas_fusion.errors import WriteError
from nas_fusion.serving.kept_encoding import KeptEncoding, write_encoding
from nas_fusion.serving.model_files import DESIGN, DRAWING, MANIFEST, PROFILE, README, WEIGHTS, model_files
from nas_fusion.serving.model_loading import read_manifest
from nas_fusion.serving.model_manifest import ModelManifest
from nas_fusion.serving.readme_text import readme
from nas_fusion.serving.training_profile import FieldProfile, profile_text
from nas_fusion.system.files import new_folder, write_text
from nas_fusion.system.seals import seal_of_file, sealed


@dataclass(frozen=True, eq=False)
class ModelParts:
    """What a saved model is made of.

    Args:
        manifest: what it is.
        module: the trained network; its modes and its device do not matter.
        encoding: turns rows into ids; or a folder where it was written already, whose files are shared.
        design: what ``design.json`` says, where it is to be kept.
        drawing: of the design, as SVG.
        profiles: what the fields were like in training; an encoding that was written already has them beside it.
    """

    manifest: ModelManifest
    module: nn.Module
    encoding: FittedEncoding | KeptEncoding
    design: str = ""
    drawing: str = ""
    profiles: Sequence[FieldProfile] = ()


def save_model(folder: str | Path, parts: ModelParts) -> None:
    """Write a model: under a temporary name, which becomes the folder's when all is written.

    An older model there is replaced.

    Raises:
        WriteError: it cannot be written.
    """
    target = Path(folder)
    with new_folder(target) as place:
        seals = dict(_encoding_files(place, parts.encoding))
        write_weights(place / WEIGHTS, parts.module.state_dict())
        profile = profile_text(parts.profiles) if parts.profiles else ""
        for name, text in ((DESIGN, parts.design), (DRAWING, parts.drawing), (PROFILE, profile)):
            if text:
                write_text(place / name, text)
        schema = parts.encoding.schema
        write_text(place / README, readme(parts.manifest, schema))
        written = [name for name in (WEIGHTS, DESIGN, DRAWING, README, PROFILE) if (place / name).exists()]
        seals |= {name: seal_of_file(place / name) for name in written}
        write_manifest(place, replace(parts.manifest, files=seals))


def write_manifest(folder: Path, manifest: ModelManifest) -> None:
    """Write ``model.json``, the last file of a model.

    Raises:
        WriteError: it cannot be written.
    """
    write_text(folder / MANIFEST, sealed(manifest.to_dict()) + "\n")


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors in the format of safetensors.

    Raises:
        WriteError: the file cannot be written.
    """
    try:
        save_file(_apart(tensors), path, {"format": "pt"})
    except (OSError, SafetensorError) as error:
        raise WriteError(path, error) from error


def copy_model(source: Path, target: Path, extra: Mapping[str, str] | None = None) -> None:
    """Another folder with the same model: its files are hard links where the disk has them, else copies.

    Args:
        source: the model's folder; only files that its manifest names are taken.
        target: the copy; what was there is replaced.
        extra: texts that the copy gets beside the model, a report for instance, by the name of their file.

    Raises:
        DamagedFileError: there is no model in the source.
        WriteError: it cannot be written.
    """
    manifest = read_manifest(model_files(source))
    with new_folder(target) as place:
        for name in manifest.files:
            link_or_copy(source / name, place / name)
        for name, text in (extra or {}).items():
            write_text(place / name, text)
        seals = {**manifest.files, **{name: seal_of_file(place / name) for name in extra or {}}}
        write_manifest(place, replace(manifest, files=seals))


def link_or_copy(source: Path, target: Path) -> None:
    """One file under a second name: nobody changes a file of a model, so both stay what they are.

    Raises:
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _encoding_files(place: Path, encoding: FittedEncoding | KeptEncoding) -> Mapping[str, Any]:
    if isinstance(encoding, FittedEncoding):
        return write_encoding(place, encoding)
    for name in encoding.seals:
        link_or_copy(encoding.folder / name, place / name)
    return encoding.seals


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, each in memory of its own: what two names share is written for both."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        memory = plain.untyped_storage().data_ptr()
        found[name] = plain.clone() if memory in seen else plain
        seen.add(memory)
    return found
