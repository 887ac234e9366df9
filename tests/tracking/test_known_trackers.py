"""Trackers that could not be told anything are refused before anything long, with what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nas_fusion.bounds import TRACKERS
from nas_fusion.errors import MissingPackageError, OptionError
from nas_fusion.settings import ComparisonSettings, DataOptions
from nas_fusion.studies.setup.study_checks import check_comparison
from nas_fusion.tracking import check_trackers
from nas_fusion.tracking.known_trackers import KNOWN


@pytest.fixture(autouse=True)
def _nobody_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def settings(*track: str) -> ComparisonSettings:
    return ComparisonSettings(source="synthetic:600", data=DataOptions(), strategies=("stacked",), track=track)


def test_every_tracker_of_the_settings_is_known() -> None:
    assert set(KNOWN) == set(TRACKERS)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_named_with_its_extra_before_anything_is_written(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nas_fusion.tracking.known_trackers.find_spec", lambda module: None)
    with pytest.raises(MissingPackageError) as caught:
        check_comparison(settings(name), tmp_path / "study")
    package = KNOWN[name].package
    assert str(caught.value) == (
        f"--track {name} needs {package}, which is not installed: pip install '.[{name}]' in nas-fusion's folder, or "
        f"pip install {package}"
    )
    assert not (tmp_path / "study").exists()


def test_an_unknown_tracker_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(OptionError, match="track must be one of mlflow, tensorboard, wandb, got 'neptune'"):
        settings("neptune")
    with pytest.raises(OptionError, match="track must be one of"):
        check_trackers(["neptune"])
    with pytest.raises(OptionError, match="track must be a list of some of mlflow, tensorboard, wandb, got 'mlflow'"):
        ComparisonSettings(source="s", data=DataOptions(), strategies=(), track="mlflow")  # type: ignore[arg-type]


def test_a_tracker_that_would_ask_for_a_key_is_refused() -> None:
    with pytest.raises(OptionError, match=r"wandb needs a key \(`wandb login`, or WANDB_API_KEY\), or WANDB_MODE=off"):
        check_trackers(["wandb"])


@pytest.mark.parametrize(
    "variable", [("WANDB_API_KEY", "x" * 40), ("WANDB_MODE", "offline"), ("WANDB_MODE", "disabled")]
)
def test_one_that_knows_who_the_user_is_or_asks_nobody_is_taken(
    variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable)
    check_trackers(["wandb"])


def test_a_login_of_before_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine wandb.example login user password abc\n", "utf-8")
    (tmp_path / "netrc").chmod(0o600)
    with pytest.raises(OptionError):
        check_trackers(["wandb"])
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example")
    check_trackers(["wandb"])


def test_checking_imports_no_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    before = set(sys.modules)
    check_trackers(TRACKERS)
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] in ("mlflow", "wandb", "tensorboard")}
