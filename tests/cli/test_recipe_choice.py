"""A study goes on by its own recipe where nobody says another, whatever the default is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion.cli.asked_settings import with_choice_of
from nas_fusion.settings import ComparisonSettings, DataOptions, RecipeSettings
from nas_fusion.settings.study_toml import write_settings


def study_of(choice: str, folder: Path) -> Path:
    settings = ComparisonSettings("log.csv", DataOptions(), ("parallel",), recipe=RecipeSettings(choice=choice))
    write_settings(settings, folder / "study.toml", "fingerprint")
    return folder


@pytest.mark.parametrize("choice", ["auto", "defaults"])
def test_a_study_keeps_its_choice(choice: str, tmp_path: Path) -> None:
    assert with_choice_of(study_of(choice, tmp_path), {"budget": "2x"}) == {"budget": "2x", "recipe.choice": choice}


def test_what_was_asked_for_wins(tmp_path: Path) -> None:
    values = {"recipe.choice": "defaults"}
    assert with_choice_of(study_of("auto", tmp_path), values) == values


def test_a_study_of_before_has_the_defaults(tmp_path: Path) -> None:
    path = study_of("auto", tmp_path) / "study.toml"
    # As it was written before there was a choice, and without a checksum.
    new = ("choice", "sha256", "sweep_passes", "kept")
    lines = [line for line in path.read_text().splitlines() if not line.startswith(new)]
    path.write_text("\n".join(lines))
    assert with_choice_of(tmp_path, {}) == {"recipe.choice": "defaults"}


def test_a_study_without_averaged_weights_goes_on_without(tmp_path: Path) -> None:
    path = study_of("auto", tmp_path) / "study.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("averaging", "sha256"))]
    path.write_text("\n".join(lines))
    assert with_choice_of(tmp_path, {}) == {"recipe.choice": "auto", "recipe.averaging": 0.0}
    asked = {"recipe.choice": "auto", "recipe.averaging": 2.0}
    assert with_choice_of(tmp_path, asked) == asked


def test_a_study_of_one_network_goes_on_with_one(tmp_path: Path) -> None:
    path = study_of("auto", tmp_path) / "study.toml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("members", "sha256"))]
    path.write_text("\n".join(lines))
    assert with_choice_of(tmp_path, {}) == {"recipe.choice": "auto", "recipe.members": 1}


def test_without_a_study_nothing_is_said(tmp_path: Path) -> None:
    assert with_choice_of(tmp_path, {}) == {}
    assert with_choice_of(Path("\0"), {}) == {}
    (tmp_path / "study.toml").write_text("nonsense")
    assert with_choice_of(tmp_path, {}) == {}
