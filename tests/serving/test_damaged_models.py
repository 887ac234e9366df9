"""Whatever happens to a saved model, it is noticed, the file is named, and nothing in it is executed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import nas_fusion
from nas_fusion.errors import DamagedFileError, DataError, NasFusionError
from tests.serving.small_model import ROWS, reseal, save_small


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "model")


FILES = (
    "README.md", "model.json", "schema.json", "vocabularies/000.parquet", "weights.safetensors", "design.json",
    "design.svg",
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_or_cut_file_is_named(data: st.DataObject, good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    name = data.draw(st.sampled_from(FILES))
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    (folder / name).write_bytes(content)
    try:
        model = nas_fusion.load(folder)
    except DamagedFileError as error:
        refused: DamagedFileError | None = error
    else:
        refused = None
    if refused is None:  # white space of the manifest does not count
        assert name == "model.json"
        assert model.manifest == nas_fusion.load(good).manifest
    else:
        assert refused.path == folder / name


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    named = "holds no saved model" if name == "model.json" else f"{name}: the file is missing"
    with pytest.raises(DamagedFileError, match=named):
        nas_fusion.load(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_file_that_is_a_folder_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(DamagedFileError, match="model"):
        nas_fusion.load(folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        nas_fusion.load(tmp_path / "nowhere")
    with pytest.raises(DamagedFileError, match="holds no saved model"):
        nas_fusion.load(tmp_path)
    (tmp_path / "file").write_text("hello")
    with pytest.raises(DamagedFileError, match="no zip can be read from it"):
        nas_fusion.load(tmp_path / "file")


def test_a_newer_format_is_said(folder: Path) -> None:
    reseal(folder, lambda content: content.update(format=3, something_new=1))
    with pytest.raises(
        DamagedFileError, match=r"model.json: a model of format 3, and this nas-fusion reads formats up to 2"
    ):
        nas_fusion.load(folder)


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no format": lambda content: content.pop("format"),
    "a format that is no number": lambda content: content.update(format="1"),
    "no design": lambda content: content.pop("design"),
    "a design of more levels": lambda content: content["design"].update(levels=3),
    "another mode": lambda content: content.update(mode="soft"),
    "another space": lambda content: content["space"].update(space="of-a-plugin"),
    "wider vectors": lambda content: content["space"].update(emb_dim=4),
    "vectors that fill the machine": lambda content: content["space"].update(emb_dim=10**12),
    "a width that is no number": lambda content: content["space"].update(block_width="auto"),
    "a recipe with more": lambda content: content["recipe"].update(colour="red"),
    "an unknown option": lambda content: content["log"]["options"].update(colour="red"),
    "another key": lambda content: content.update(colour="red"),
    "no weights": lambda content: content["files"].pop("weights.safetensors"),
    "no vocabulary": lambda content: content["files"].pop("vocabularies/000.parquet"),
    "a file elsewhere": lambda content: content["files"].update({"../x": {"bytes": 1, "sha256": ""}}),
    "an absolute file": lambda content: content["files"].update({"/etc/passwd": {"bytes": 1, "sha256": ""}}),
    "a seal that is none": lambda content: content["files"].update({"README.md": {}}),
    "files that are none": lambda content: content.update(files=[]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_that_was_made_to_fit_is_still_refused(change: str, folder: Path) -> None:
    reseal(folder, CHANGES[change])
    with pytest.raises(NasFusionError, match=r"model|stacked"):
        nas_fusion.load(folder)


class Harmful:
    """What a pickle may do when it is read."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return os.mkdir, (self.place,)


def test_nothing_is_unpickled(folder: Path, tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    torch.save({"embedding.table.weight": Harmful(harm)}, folder / "weights.safetensors")
    reseal(folder)
    with pytest.raises(DamagedFileError, match=r"weights.safetensors: no tensors can be read"):
        nas_fusion.load(folder)
    assert not harm.exists()


def test_other_contents_are_refused_by_name(folder: Path, good: Path) -> None:
    def refused(name: str, words: str) -> None:
        reseal(folder)
        with pytest.raises(DamagedFileError, match=words) as caught:
            nas_fusion.load(folder)
        assert caught.value.path == folder / name
        shutil.copy(good / name, folder / name)

    vocabulary = folder / "vocabularies/000.parquet"
    vocabulary.write_bytes(b"PAR1 and nothing else PAR1")
    refused("vocabularies/000.parquet", "no table can be read from it")
    pq.write_table(pa.table({"value": ["too few"]}), vocabulary)
    refused("vocabularies/000.parquet", "not the vocabulary of its field")
    pq.write_table(pa.table({"value": pa.array([[1], [2], [3]])}), vocabulary)
    refused("vocabularies/000.parquet", "not the vocabulary of its field")
    (folder / "schema.json").write_text("{}")
    refused("schema.json", "not a schema")
    save_file({"other": torch.zeros(2)}, folder / "weights.safetensors")
    refused("weights.safetensors", "not those of the model that was described")


# Zips ----------------------------------------------------------------------------------------------------------------


def zipped(folder: Path, target: Path, **more: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name in FILES:
            file.write(folder / name, name)
        for name, content in more.items():
            file.writestr(name, content)
    return target


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_a_zip_with_a_name_that_leads_out_of_it_is_refused(name: str, good: Path, tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match=r"refused: .* in it leads out of it"):
        nas_fusion.load(zipped(good, tmp_path / "model.zip", **{name: b"x"}))


def test_a_zip_with_a_link_is_refused(good: Path, tmp_path: Path) -> None:
    path = zipped(good, tmp_path / "model.zip")
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DamagedFileError, match="leads out of it"):
        nas_fusion.load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_two_manifests_is_refused(good: Path, tmp_path: Path) -> None:
    for name in ("model.json", "other/model.json"):
        with pytest.raises(DamagedFileError, match=r"holds no saved model: one model.json is expected"):
            nas_fusion.load(zipped(good, tmp_path / "model.zip", **{name: b"{}"}))


def test_a_zip_that_would_fill_the_memory_is_not_unpacked(good: Path, folder: Path, tmp_path: Path) -> None:
    (folder / "weights.safetensors").write_bytes(bytes(1 << 26))  # 64 KiB in the zip
    with pytest.raises(DamagedFileError, match=r"weights.safetensors: damaged"):
        nas_fusion.load(zipped(folder, tmp_path / "model.zip"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_zip_is_noticed(data: st.DataObject, good: Path, tmp_path: Path) -> None:
    path = zipped(good, tmp_path / "model.zip")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    try:
        model = nas_fusion.load(path)
    except DamagedFileError as error:
        words = str(error)
    else:
        words = ""
    if not words:  # a date, say
        assert model.scores(ROWS).tolist() == nas_fusion.load(good).scores(ROWS).tolist()
    else:
        assert str(path) in words


def test_checksums_can_be_left_out(folder: Path) -> None:
    """For a process that starts often; sizes are still compared."""
    content = (folder / "README.md").read_text("utf-8")
    (folder / "README.md").write_text(content.swapcase())
    with pytest.raises(DamagedFileError):
        nas_fusion.load(folder)
    assert nas_fusion.load(folder, verify=False).scores(ROWS).shape == (4,)
    (folder / "README.md").write_text(content + "!")
    with pytest.raises(DamagedFileError):
        nas_fusion.load(folder, verify=False)


def test_a_manifest_is_plain_json(good: Path) -> None:
    assert json.loads((good / "model.json").read_text("utf-8"))["format"] == 1
