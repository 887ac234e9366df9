"""Files that a user hands over, damaged: presets, tunings, designs, NNI's configuration, the encoded log."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_fusion.data import EncodedDataset, prepare
from nas_fusion.design_file import read_design
from nas_fusion.errors import NasFusionError
from nas_fusion.nni_bridge.manager.training_service import ServiceSettings
from nas_fusion.studies import compare, load_preset, tune
from tests.studies.damage import SETTINGS, TUNED, WAYS, constant_latency

pytestmark = pytest.mark.slow

NNI_CONFIG = "trainingService:\n  platform: local\n  useActiveGpu: false\nmaxTrialNumber: 5\n"


def read_nni_config(path: Path) -> Any:
    return ServiceSettings(path.parent / "service", "study", 1, path).experiment()["maxTrialNumber"]


READERS: dict[str, Callable[[Path], Any]] = {
    "own.toml": lambda path: load_preset(str(path)),
    "study.toml": lambda path: load_preset(str(path)),
    "recipe.json": lambda path: load_preset(str(path.with_name("study.toml"))),
    "tuned.json": lambda path: load_preset(str(path)),
    "best_model.json": read_design,
    "design.json": read_design,
    "nni.yml": read_nni_config,
}
BY_HAND = ("own.toml", "nni.yml")
"""Nobody can know that these were changed as long as they make sense."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, as nas-fusion or a user writes them."""
    folder = tmp_path_factory.mktemp("files")
    dataset = prepare(SETTINGS.source, cache=folder / "cache")
    with constant_latency():
        study = compare(SETTINGS, dataset, folder / "study").folder
    tune(TUNED, dataset, folder / "tuning")
    for source in (
        study.settings,
        study.recipe,
        study.best_model_json,
        study.cell("optfusion-hard", 0) / "design.json",
    ):
        shutil.copy(source, folder)
    shutil.copy(folder / "tuning" / "tuned.json", folder)
    (folder / "own.toml").write_text('budget = "2x"\n[recipe]\nlearning_rate = 0.25\n')
    (folder / "nni.yml").write_text(NNI_CONFIG)
    return folder


@pytest.mark.parametrize("way", [way for way in WAYS if way != "link"])
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_named_or_as_it_was(name: str, way: str, files: Path, tmp_path: Path) -> None:
    read = READERS[name]
    for beside in ("study.toml", "recipe.json"):  # a study's settings are both
        shutil.copy(files / beside, tmp_path)
    path = Path(shutil.copy(files / name, tmp_path))
    before = read(path)
    WAYS[way](path)
    after = outcome(read, path)
    if isinstance(after, NasFusionError):
        assert name in str(after)
        assert "\n" not in str(after)
    else:
        assert after == before or (name in BY_HAND and way in ("flipped", "truncated"))


def outcome(read: Callable[[Path], Any], path: Path) -> Any:
    try:
        return read(path)
    except NasFusionError as error:
        return error


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_encoded_log_is_made_anew(way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is a copy of the log, so nobody has to be told of more than that."""
    cache = tmp_path / "cache"
    first = prepare("synthetic:300", cache=cache)
    expected = contents(first)
    for file in sorted(p for p in first.search_view().folder.iterdir() if p.is_file()):
        WAYS[way](file)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            again = prepare("synthetic:300", cache=cache)
        assert contents(again) == expected, file.name
        assert file.is_file(), file.name
        assert [m for m in caplog.messages if "made anew" in m], file.name


def contents(dataset: EncodedDataset) -> list[bytes]:
    splits = (dataset.train, dataset.valid, dataset.test)
    return [np.asarray(array).tobytes() for split in splits for array in (split.ids, split.labels)]
