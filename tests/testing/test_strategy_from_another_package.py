"""A strategy in a package of its own: installed, it stands beside the built-in ones and keeps the contract."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import nas_fusion
from nas_fusion.cli import main
from nas_fusion.errors import StrategyError
from nas_fusion.records import CellRecord
from nas_fusion.registry import Registry, RegistryError
from nas_fusion.strategy import STRATEGIES, StrategyEntry, select_strategies
from nas_fusion.testing.contract import SEED
from tests.command_process import NASFUSION, CommandProcess

PLUGIN = Path(__file__).resolve().parents[1] / "fixtures" / "strategy_plugin"

PYTEST = "import sys; import pytest; sys.exit(pytest.main(sys.argv[1:]))"

SEARCHES = "from nas_fusion.testing.__main__ import main; main()"

SCORES_ARE_THOSE_OF_THE_TEST = """
import sys, pandas as pd, nas_fusion
from nas_fusion.data import synthetic_log
tested = pd.read_parquet(sys.argv[1] + "/predictions.parquet")
rows = pd.DataFrame(synthetic_log(1000)[0]).iloc[tested["row"]]
assert nas_fusion.load(sys.argv[1] + "/model").scores(rows).tolist() == tested["probability"].tolist()
"""

OF_A_PLACE = "test_same_seed_gives_the_same_search"
"""What is run of the contract of an entry that has been found by its name before: it is found by its place, too."""

AUTHORS_TEST = """
import json
from pathlib import Path
import pytest
from nas_fusion.architecture import found_from_json
from nas_fusion.strategy import select_strategies
from nas_fusion.testing import StrategyContract

class TestHillClimb(StrategyContract):
    strategy_name = "hillclimb"

class TestByPlace(StrategyContract):
    strategy_name = "nasfusion_hillclimb:ENTRY"

class TestBlendSoft(StrategyContract):
    strategy_name = "blend-soft"

    def test_a_fresh_process_finds_the_same_design(self):
        pass  # blend's does

class TestBlend(StrategyContract):
    strategy_name = "blend"

    @pytest.fixture(scope="class")
    @classmethod
    def fresh_design(cls):
        return found_from_json(json.loads(Path("fresh.json").read_text())["blend"])

def test_all_includes_it():
    assert "hillclimb" in [entry.name for entry in select_strategies("all")]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plugin."""
    source, target = tmp_path_factory.mktemp("source") / "plugin", tmp_path_factory.mktemp("site")
    shutil.copytree(PLUGIN, source)  # setuptools writes beside what it builds
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def nasfusion(site: Path, *arguments: str, cwd: Path, code: str = NASFUSION) -> CommandProcess:
    """A process that imports from the site too, and has not looked for strategies before; it has ended well."""
    process = CommandProcess(arguments, cwd, {"PYTHONPATH": str(site)}, path=str(site), code=code)
    assert process.wait() == 0, process.said()[-3000:]
    return process


@pytest.mark.slow
def test_it_is_listed(site: Path, tmp_path: Path) -> None:
    done = nasfusion(site, "strategies", cwd=tmp_path)
    line = next(line for line in done.stdout.splitlines() if "hillclimb" in line)
    assert "hillclimb *" in line, "it is in --strategies all"
    assert "multi-trial" in line


@pytest.mark.slow
def test_it_keeps_the_contract_by_the_published_tests(site: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(AUTHORS_TEST)
    fresh = nasfusion(site, "--seed", str(SEED), "blend", cwd=tmp_path / "fresh", code=SEARCHES)
    (tmp_path / "fresh.json").write_text(fresh.stdout.splitlines()[-1])
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore", "-k", f"not TestByPlace or {OF_A_PLACE}"]
    done = nasfusion(site, *options, "test_mine.py", cwd=tmp_path, code=PYTEST)
    assert " passed" in done.stdout


@pytest.mark.slow
def test_a_soft_strategy_with_a_supernet_of_its_own_is_compared(site: Path, tmp_path: Path) -> None:
    """Its search is kept for the soft row, which is re-trained from the file."""
    small = ("--data", "synthetic:1000", "--levels", "1", "--emb-dim", "2", "--budget", "1x", "--epochs", "1")
    given = ("--strategies", "blend,blend-soft", "--seeds", "1", "--study", "study")
    nasfusion(site, "compare", *small, *given, cwd=tmp_path)
    assert (tmp_path / "study" / "searches" / "blend-0" / "supernet.pt").exists()
    records = [
        CellRecord.from_json((tmp_path / "study" / "cells" / f"{name}-0" / "cell.json").read_text("utf-8"))
        for name in ("blend", "blend-soft")
    ]
    assert [record.mode for record in records] == ["hard", "soft"]
    assert records[0].design == records[1].design
    assert records[1].shares_search_with == "blend"
    assert records[1].parameters > records[0].parameters, "nothing is cut away"
    weights = load_file(tmp_path / "study" / "cells" / "blend-soft-0" / "model" / "weights.safetensors")
    assert "network.nodes.deep1.openness" in weights
    nasfusion(site, "study/cells/blend-soft-0", cwd=tmp_path, code=SCORES_ARE_THOSE_OF_THE_TEST)
    with pytest.raises(StrategyError, match="blend-soft: the package that has this strategy is not installed"):
        nas_fusion.load(tmp_path / "study" / "cells" / "blend-soft-0" / "model")
    assert nas_fusion.load(tmp_path / "study" / "cells" / "blend-0" / "model").columns, "a design needs nobody"


def write_broken_plugin(folder: Path, value: str) -> None:
    information = folder / "broken-0.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    (information / "entry_points.txt").write_text(f"[nas_fusion.strategies]\nbroken-one = {value}\n")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module_here:ENTRY", "No module named 'no_such_module_here'"),
        ("json:no_such_name", "no attribute 'no_such_name'"),
        ("json:__name__", "must be a StrategyEntry, got str"),
        ("json:JSONDecoder", "must be a StrategyEntry, got JSONDecoder"),
    ],
)
def test_a_broken_plugin_is_named(value: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_broken_plugin(tmp_path, value)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("strategy", "nas_fusion.strategies", StrategyEntry)
    assert "broken-one" not in registry.names()
    with pytest.raises(RegistryError) as error:
        registry.get("broken-one")
    assert str(error.value).startswith(f"strategy 'broken-one' ({value}) of broken 0.1 cannot be used: ")
    assert reason in str(error.value)


def test_a_plugin_cannot_take_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = tmp_path / "twice-0.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: twice\nVersion: 0.1\n")
    place = "nas_fusion.baselines.baseline_entries:ENTRIES"
    (information / "entry_points.txt").write_text(f"[nas_fusion.strategies]\nrandom = {place}\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("strategy", "nas_fusion.strategies", tuple)
    registry.register("random", ())
    assert registry.get("random") == ()
    (line,) = registry.broken()
    assert "of twice 0.1" in line
    assert "'random' is registered twice" in line


@pytest.fixture
def with_a_broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_broken_plugin(tmp_path, "no_such_module_here:ENTRY")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("strategy", "nas_fusion.strategies", StrategyEntry)
    for name, entry in STRATEGIES:
        registry.register(name, entry)
    for place in ("nas_fusion.strategy", "nas_fusion.strategy.known_strategies"):
        monkeypatch.setattr(f"{place}.STRATEGIES", registry)


@pytest.mark.usefixtures("with_a_broken_plugin")
def test_the_command_line_says_which_plugin_is_broken_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["strategies"])
    assert stop.value.code == 0
    printed = capsys.readouterr()
    words = "strategy 'broken-one' (no_such_module_here:ENTRY) of broken 0.1 cannot be used: ModuleNotFoundError"
    assert f"broken: {words}" in printed.out
    assert "optfusion-hard" in printed.out
    assert " ".join(printed.err.split()).count(words) == 1


@pytest.mark.usefixtures("with_a_broken_plugin")
def test_a_broken_plugin_that_is_asked_for_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--data", "synthetic:2000", "--strategies", "random,broken-one"])
    assert stop.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("nasfusion: error: strategy 'broken-one' (no_such_module_here:ENTRY) of broken 0.1 cannot")


@pytest.mark.parametrize(
    ("name", "entry_name", "reason"),
    [
        ("mine", "other", "its entry is called 'other'; both must be the same"),
        ("../mine", "../mine", "no blank, comma, colon, slash or leading dot"),
        ("all", "all", "none of all, searches, models"),
        ("mine", "mine", None),
    ],
)
def test_names_that_cannot_be(name: str, entry_name: str, reason: str | None) -> None:
    found = STRATEGIES._problem(name, StrategyEntry(entry_name, "reference", "", build=lambda designs: None))
    assert found is None if reason is None else reason in (found or "")


def test_a_reference_of_a_third_party_is_compared_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    STRATEGIES.names()
    monkeypatch.setattr(STRATEGIES, "_entries", dict(STRATEGIES))
    STRATEGIES.register("theirs", StrategyEntry("theirs", "reference", "", build=lambda designs: None))
    assert [entry.name for entry in select_strategies("random")] == ["random", "stacked", "parallel"]
    assert "theirs" in [entry.name for entry in select_strategies("all")]
