"""A study's settings, and what a tuning found, stand where a preset can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_fusion.architecture import found_from_json
from nas_fusion.cli import main
from nas_fusion.errors import StudyError
from nas_fusion.settings.study_toml import read_settings
from nas_fusion.studies import ComparisonSettings, load_preset
from nas_fusion.system.seals import SEAL

pytestmark = pytest.mark.slow

LOG = ("--data", "synthetic:1000")
MADE = ("--levels", "1", "--emb-dim", "3", "--lr", "0.02", "--epochs", "1", "--budget", "0.5x", "--device", "cpu")
LIMITS = ("--max-multiply-adds", "4000", "--max-parameters", "5000")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison (`made`) and a tuning (`tuned`)."""
    folder = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASFUSION_CACHE", str(tmp_path_factory.getbasetemp() / "presets-cache"))
        patch.chdir(folder)
        given = ("--strategies", "tpe", "--set", "tpe.startup_share=0.5", "--candidates", "3", "--concurrency", "2")
        run("compare", *LOG, *MADE, *LIMITS, *given, "--min-count", "3", "--seeds", "1", "--study", "made")
        run("tune", *LOG, *MADE, "--strategy", "optfusion-hard", "--trials", "2", "--study", "tuned")
    return folder


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path_factory.getbasetemp() / "presets-cache"))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert not stopped.value.code


def settings_of(study: Path) -> dict[str, Any]:
    return read_settings(study / "study.toml")[0]


@pytest.mark.parametrize("name", ["made", "made/study.toml"])
def test_a_studys_settings_make_the_same_study(name: str, studies: Path) -> None:
    run("compare", *LOG, "--strategies", "tpe", "--seeds", "1", "--preset", str(studies / name), "--study", "again")
    assert settings_of(Path("again")) == settings_of(studies / "made")


def test_options_override_a_studys_settings(studies: Path) -> None:
    given = ("--strategies", "stacked", "--seeds", "1", "--emb-dim", "2", "--max-multiply-adds", "0")
    run("compare", *LOG, "--preset", str(studies / "made"), *given, "--study", "again")
    found = settings_of(Path("again"))
    assert (found["model"]["emb_dim"], found["limits"]["multiply_adds"], found["limits"]["parameters"]) == (2, 0, 5000)
    assert found["recipe"] == settings_of(studies / "made")["recipe"]


def test_settings_of_data_that_no_option_can_make(studies: Path) -> None:
    text = unsealed((studies / "made" / "study.toml").read_text("utf-8"))
    Path("mine.toml").write_text(text.replace("seed = 2025", "seed = 7"))
    run("compare", *LOG, "--strategies", "stacked", "--seeds", "1", "--preset", "mine.toml", "--study", "again")
    assert settings_of(Path("again"))["data"]["seed"] == 7


@pytest.mark.parametrize("name", ["tuned", "tuned/tuned.json"])
def test_a_tuning_is_used(name: str, studies: Path) -> None:
    preset = load_preset(str(studies / name))
    assert preset.tuned == "optfusion-hard"
    values = json.loads((studies / "tuned" / "tuned.json").read_text("utf-8"))["values"]
    assert preset.settings["recipe.learning_rate"] == values["learning_rate"]
    assert preset.settings["model.emb_dim"] == values["emb_dim"]
    assert preset.parameters["optfusion-hard"]["gate_start"] == values["gate_start"]
    assert preset.settings["tune"] == 0


def test_search_with_a_tuning_finds_the_best_trials_design(studies: Path) -> None:
    run("search", *LOG, "--preset", str(studies / "tuned"), "--seed", "0", "--device", "cpu", "--out", "found.json")
    found = found_from_json(Path("found.json").read_text("utf-8"))
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{studies / 'tuned' / 'optuna.db'}")
    (name,) = optuna.get_all_study_names(storage)
    best = optuna.load_study(study_name=name, storage=storage).best_trial
    assert str(found) == best.user_attrs["design"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "--strategy", "darts"),
        ("compare", "--strategies", "random,darts"),
        ("tune", "--strategy", "random"),
    ],
)
def test_a_tuning_of_a_strategy_that_is_not_chosen_is_named(
    arguments: tuple[str, ...], studies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, *LOG, "--preset", str(studies / "tuned" / "tuned.json")])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "was tuned for optfusion-hard, which is not chosen" in error
    assert list(Path().iterdir()) == []


def test_a_tuning_serves_those_who_share_the_search(studies: Path) -> None:
    given = ("--strategies", "optfusion-soft", "--seeds", "1", "--budget", "0.5x")
    run("compare", *LOG, "--preset", str(studies / "tuned"), *given, "--study", "again")
    assert settings_of(Path("again"))["parameters"]["optfusion-hard"]


def unsealed(text: str) -> str:
    """A file without its checksum, as its reader takes it from a user's hand."""
    if text.startswith("{"):
        return json.dumps({name: value for name, value in json.loads(text).items() if name != SEAL}, indent=1)
    return "\n".join(line for line in text.splitlines() if not line.startswith(SEAL))


def test_a_changed_file_is_noticed(studies: Path) -> None:
    for name in ("made/study.toml", "tuned/tuned.json"):
        path = Path(Path(name).name)
        path.write_text((studies / name).read_text("utf-8").replace("0.02", "0.03"))
        with pytest.raises(StudyError, match=rf"{path.name}: damaged: its checksum does not fit"):
            load_preset(str(path))


def without(*keys: str) -> Callable[[str], str]:
    return lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k not in keys})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("made/study.toml", lambda text: text[:60], "study.toml"),
        ("made/study.toml", lambda text: text.replace("[recipe]", "[recipe]\nlerning_rate = 1"), "lerning_rate"),
        ("made/study.toml", lambda text: text.replace("format = 1", "format = 9"), "format must be 1, got 9"),
        ("tuned/tuned.json", lambda text: text[:60], "damaged: not JSON"),
        ("tuned/tuned.json", lambda text: "[]", "damaged: not a JSON object but list"),
        ("tuned/tuned.json", lambda text: "{}", "not what a tuning found: it has no values"),
        ("tuned/tuned.json", without("strategy"), "not what a tuning found: 'strategy'"),
        ("tuned/tuned.json", without("settings"), "written by a version that did not keep its settings"),
        (
            "tuned/tuned.json",
            lambda text: text.replace('"strategy": "optfusion-hard"', '"strategy": "optfusion-herd"'),
            "did you mean 'optfusion-hard'",
        ),
        ("tuned/tuned.json", lambda text: text.replace('"levels": 1', '"levels": 0'), "levels must be"),
    ],
)
def test_damaged_files_are_named(name: str, change: Callable[[str], str], message: str, studies: Path) -> None:
    path = Path(Path(name).name)
    path.write_text(change(unsealed((studies / name).read_text("utf-8"))))
    with pytest.raises(StudyError, match=message) as error:
        load_preset(str(path))
    assert path.name in str(error.value)


def test_a_folder_that_is_no_study() -> None:
    Path("mine").mkdir()
    with pytest.raises(StudyError, match="mine: neither a preset nor a study's folder"):
        load_preset("mine")


def test_a_studys_width_is_the_one_in_use() -> None:
    from nas_fusion.data import DataOptions
    from nas_fusion.studies.presets import preset_of

    settings = ComparisonSettings("synthetic", DataOptions(), ("random",))
    assert preset_of(settings, "s", "s").settings["model.emb_dim"] == 4
