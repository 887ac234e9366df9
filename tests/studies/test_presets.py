"""Presets: read whole or refused, overridden by options, run on the samples of the logs that they are for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nas_fusion.cli import main
from nas_fusion.errors import StudyError, UnknownNameError
from nas_fusion.records import CellRecord
from nas_fusion.settings.study_toml import read_settings
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings, load_preset, preset_names

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("brief_look_ahead")]

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data"

PUBLISHED = {
    # embedding width, search's rate, architecture's, L2, hard re-training's rate, soft's
    "criteo": (40, 3e-4, 0.3, 3e-6, 3e-4, 3e-4),
    "avazu": (40, 1e-3, 0.1, 0.0, 1e-3, 1e-7),
    "kdd12": (16, 3e-3, 0.01, 0.0, 2e-3, 3e-8),
}


ROWS = 4_000
"""Of a sample: enough that every split has both labels."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_folder(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sample(tmp_path: Path) -> Callable[[str], str]:
    def find(name: str) -> str:
        if not (SAMPLES / name).exists():
            pytest.skip(f"the real sample {name} is not beside this checkout")
        return str(thinned(SAMPLES / name, tmp_path / name))

    return find


def thinned(log: Path, place: Path) -> Path:
    """Rows from everywhere in a log, as it has them; a header stays."""
    if log.suffix == ".parquet":
        table = pq.read_table(log)
        step = max(1, len(table) // ROWS)
        pq.write_table(table.take(list(range(0, len(table), step))), place)
    else:
        first, *lines = log.read_bytes().splitlines(keepends=True)
        place.write_bytes(b"".join([first, *lines[:: max(1, len(lines) // ROWS)]]))
    return place


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert not stopped.value.code


def settings_of(study: str) -> ComparisonSettings:
    return ComparisonSettings.from_dict(read_settings(Path(study) / "study.toml")[0])


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_says_what_and_where_from(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert preset.summary
    assert preset.source
    assert "model.emb_dim" in preset.settings


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings(name: str) -> None:
    preset = load_preset(f"optfusion-{name}")
    s, recipe = preset.settings, ("recipe.learning_rate", "recipe.retrain_learning_rate", "recipe.soft_learning_rate")
    width, rate, arch, l2, hard, soft = PUBLISHED[name]
    assert s["model.emb_dim"] == width
    assert tuple(s[n] for n in recipe) == (rate, hard, soft)
    assert (s["recipe.embedding_l2"], s["recipe.network_l2"]) == (l2, l2)
    assert (s["recipe.batch_size"], s["budget"], s["recipe.retrain_epochs"], s["recipe.patience"]) == (4096, "5x", 5, 1)
    assert (s["data.format"], s["data.min_count"], s["data.split"]) == (name, 2, "random:8:1:1")
    assert {strategy: v["arch_learning_rate"] for strategy, v in preset.parameters.items()} == dict.fromkeys(
        ("optfusion-hard", "optfusion-connections", "optfusion-operations"), arch
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budget = ", "not TOML"),
        ("budgte = '5x'", "unknown setting 'budgte': did you mean 'budget'"),
        ("[recipe]\nlerning_rate = 1e-3", r"did you mean 'recipe\.learning_rate'"),
        ("[recipe]\nlearning_rate = -1", "learning_rate must be a number above 0, at most 10,000, got -1"),
        ("[data]\nsplit = '8:1:1'", "split must be"),
        ("strategies = ['random']", "unknown setting 'strategies'"),
        ("[parameters.randm]\nx = 1", "did you mean 'random'"),
        ("[parameters.optfusion-hard]\nx = 1", "parameter of optfusion-hard must be one of"),
        ("[parameters]\nx = 1", "parameters must be tables"),
    ],
)
def test_a_wrong_preset_is_refused(text: str, message: str) -> None:
    Path("mine.toml").write_text(text)
    with pytest.raises(StudyError, match=r"mine\.toml: .*" + message):
        load_preset("mine.toml")


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'frappe'"):
        load_preset("frape")


def test_options_override_a_preset_of_ones_own() -> None:
    Path("mine.toml").write_text(
        "budget = '1x'\n[data]\nnumeric = {}\n[model]\nlevels = 1\nemb_dim = 2\n"
        "[recipe]\nlearning_rate = 0.02\nretrain_learning_rate = 0.03\nretrain_epochs = 1\n"
        "[parameters.optfusion-hard]\ngate_start = 0.25\narch_learning_rate = 0.2\n"
        "[parameters.darts]\narch_learning_rate = 1\n"
    )
    common = ("compare", "--data", "synthetic:500", "--strategies", "optfusion-soft", "--seeds", "1")
    run(*common, "--preset", "mine.toml", "--study", "as-it-is")
    found = settings_of("as-it-is")
    assert (found.budget, found.model.levels, found.emb_dim) == ("1x", 1, 2)
    assert (found.recipe.learning_rate, found.recipe.retrain_learning_rate) == (0.02, 0.03)
    # DARTS was not chosen; soft takes part in hard's search.
    assert found.parameters == {"optfusion-hard": {"gate_start": 0.25, "arch_learning_rate": 0.2}}
    cell = CellRecord.from_json(Path("as-it-is/cells/optfusion-soft-0/cell.json").read_text())
    used = {"gate_start": 0.25, "arch_learning_rate": 0.2, "measured_designs": 0}
    assert cell.details["parameters"] == used
    overrides = ("--emb-dim", "3", "--lr", "0.01", "--set", "optfusion-hard.gate_start=0.75")
    run(*common, "--preset", "mine.toml", "--study", "overridden", *overrides)
    found = settings_of("overridden")
    assert (found.budget, found.emb_dim, found.recipe.retrain_epochs) == ("1x", 3, 1)
    assert (found.recipe.learning_rate, found.recipe.retrain_learning_rate) == (0.01, 0.0)
    assert found.parameters == {"optfusion-hard": {"gate_start": 0.75, "arch_learning_rate": 0.2}}


def test_an_option_overrides_a_preset_even_with_its_default() -> None:
    Path("mine.toml").write_text("budget = '2x'\n[model]\nlevels = 2\nemb_dim = 2\n[recipe]\nretrain_epochs = 1\n")
    given = ("--data", "synthetic:500", "--strategies", "stacked", "--seeds", "1", "--levels", "3", "--study", "study")
    run("compare", "--preset", "mine.toml", *given)
    assert settings_of("study").model.levels == 3
    assert settings_of("study").budget == "2x"


TINY = ("--seeds", "1", "--levels", "1", "--emb-dim", "2", "--batch-size", "512", "--epochs", "1", "--study", "study")


@pytest.mark.parametrize(
    ("log", "name", "fields"),
    [
        ("criteo_10k.txt", "optfusion-criteo", 39),
        ("avazu_8k.csv", "optfusion-avazu", 24),
        ("kdd12_40k.txt", "optfusion-kdd12", 11),
        ("frappe.parquet", "frappe", 10),
        ("ml100k.parquet", "ml100k", 11),
        ("kdd12_40k.txt", "kdd12-sample", 11),
    ],
)
def test_presets_run_on_the_samples(log: str, name: str, fields: int, sample: Callable[[str], str]) -> None:
    given = ("--data", sample(log), "--preset", name, "--budget", "0.1x", "--strategies", "optfusion-hard")
    run("compare", *given, *TINY)
    found, preset = settings_of("study"), load_preset(name)
    assert found.recipe.learning_rate == preset.settings["recipe.learning_rate"]
    assert (found.budget, found.emb_dim, found.recipe.batch_size) == ("0.1x", 2, 512)
    assert found.parameters == {k: dict(v) for k, v in preset.parameters.items() if k == "optfusion-hard"}
    record = CellRecord.from_json(Path("study/cells/optfusion-hard-0/cell.json").read_text())
    expected = STRATEGIES.get("optfusion-hard").with_parameters(found.parameters.get("optfusion-hard", {}))
    assert record.details["parameters"] == expected


def test_the_built_in_log_has_a_preset_of_its_own_unless_another_is_named() -> None:
    run("compare", "--data", "synthetic:500", "--strategies", "models", *TINY)
    found, preset = settings_of("study"), load_preset("built-in")
    assert found.parameters == {k: dict(v) for k, v in preset.parameters.items() if k != "nasrec"}
    Path("own.toml").write_text("[parameters.fnn]\nhidden_width = 8\n")
    run("compare", "--data", "synthetic:500", "--strategies", "fnn", "--preset", "own.toml", *TINY[:-1], "own")
    assert settings_of("own").parameters == {"fnn": {"hidden_width": 8}}


def test_planted_logs_have_a_preset_of_their_own() -> None:
    run("compare", "--data", "synthetic:planted:product:rows=600", "--strategies", "fnn", *TINY)
    assert settings_of("study").recipe.learning_rate == load_preset("planted").settings["recipe.learning_rate"]
