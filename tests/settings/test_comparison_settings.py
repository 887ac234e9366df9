"""Settings of a comparison: written, read back, compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas_fusion.data import DataOptions
from nas_fusion.errors import DamagedFileError, OptionError, StudyError
from nas_fusion.settings import automatic_batch_size
from nas_fusion.settings.study_toml import differences, read_settings, write_settings
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, StudyFolder


def settings() -> ComparisonSettings:
    return ComparisonSettings(source="log.csv", data=DataOptions(label="click"), strategies=("random", "stacked"))


def test_settings_survive_toml(tmp_path: Path) -> None:
    write_settings(settings(), tmp_path / "study.toml", "abc")
    content, fingerprint = read_settings(tmp_path / "study.toml")
    assert fingerprint == "abc"
    assert differences(settings().to_dict(), content) == []
    assert ComparisonSettings.from_dict(content) == settings()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (replace(settings(), budget="7x"), "budget: '5x' in the study, '7x' asked for"),
        (replace(settings(), seeds=(0, 1)), r"seeds: \[0, 1, 2\] in the study, \[0, 1\] asked for"),
        (replace(settings(), model=ModelSettings(levels=2)), "model.levels: 3 in the study, 2 asked for"),
        (replace(settings(), recipe=RecipeSettings(learning_rate=0.5)), "recipe.learning_rate: 0.001"),
        (replace(settings(), data=DataOptions(label="click", split_column="part")), "data.split_column: None"),
    ],
)
def test_a_study_says_which_settings_differ(tmp_path: Path, changed: ComparisonSettings, message: str) -> None:
    folder = StudyFolder(tmp_path)
    write_settings(settings(), folder.settings, "abc")
    folder.check(settings(), "abc")
    with pytest.raises(StudyError, match=message):
        folder.check(changed, "abc")


def test_a_study_notices_another_log(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    write_settings(settings(), folder.settings, "abc")
    with pytest.raises(StudyError, match="content has changed"):
        folder.check(settings(), "abd")


def test_a_study_of_the_earlier_built_in_log_says_how_to_go_on(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    built_in = replace(settings(), source="synthetic")
    write_settings(built_in, folder.settings, "abc")
    with pytest.raises(StudyError, match=r"content has changed .* --data synthetic:100000"):
        folder.check(built_in, "abd")


def test_a_study_of_an_older_version_has_the_defaults_of_newer_settings(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    write_settings(settings(), folder.settings, "abc")
    lines = folder.settings.read_text("utf-8").splitlines()
    older = [line for line in lines if not line.startswith(("concurrency", "sha256"))]
    assert len(lines) == len(older) + 2
    folder.settings.write_text("\n".join(older), "utf-8")
    folder.check(settings(), "abc")
    with pytest.raises(StudyError, match="concurrency: 1 in the study, 2 asked for"):
        folder.check(replace(settings(), concurrency=2), "abc")
    folder.settings.write_text("\n".join(["future = 3", *older]), "utf-8")
    with pytest.raises(StudyError, match=r"study\.toml: settings of another version.*future"):
        folder.check(settings(), "abc")


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StudyError, match="holds no study"):
        StudyFolder(tmp_path).check(settings(), "abc")
    with pytest.raises(StudyError, match="is a file"):
        StudyFolder(tmp_path / "thesis.tex").check(settings(), "abc")


def test_a_study_admits_one_process(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "study")
    with (
        folder.locked(settings(), "abc"),
        pytest.raises(StudyError, match="another process"),
        StudyFolder(tmp_path / "study").locked(settings(), "abc"),
    ):
        pass


@pytest.mark.parametrize(("rows", "size"), [(80_000, 1024), (200_000, 4096), (10**8, 4096), (8_000, 128), (10, 128)])
def test_automatic_batch_size(rows: int, size: int) -> None:
    assert automatic_batch_size(rows) == size


def test_bad_settings_are_named() -> None:
    with pytest.raises(OptionError, match="seeds must be different integers"):
        replace(settings(), seeds=(1, 1))
    with pytest.raises(OptionError, match="learning_rate must be a number above 0, at most 10,000, got -1"):
        replace(settings(), recipe=RecipeSettings(learning_rate=-1))
    with pytest.raises(OptionError, match="device must be auto"):
        replace(settings(), device="tpu")


def test_a_changed_digit_in_the_settings_is_noticed(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    write_settings(settings(), folder.settings, "abc")
    text = folder.settings.read_text("utf-8")
    folder.settings.write_text(text.replace("    2,\n", "    3,\n"), "utf-8")
    assert folder.settings.read_text("utf-8") != text
    with pytest.raises(DamagedFileError, match=r"study\.toml: damaged: its checksum does not fit.*makes it anew"):
        read_settings(folder.settings)
    with pytest.raises(DamagedFileError):
        folder.check(settings(), "abc")
