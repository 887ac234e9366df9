"""Documents: their code and commands run, what they name exists, and the site has a page for every public name."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas_fusion.cli import COMMANDS
from nas_fusion.data import DataOptions, prepare
from nas_fusion.design import FusionDesign
from nas_fusion.search import run_search
from nas_fusion.strategy import STRATEGIES
from nas_fusion.studies import ComparisonSettings, ModelSettings, RecipeSettings, compare
from nas_fusion.testing import tiny_data, tiny_space, tiny_task
from tests.command_process import CommandProcess

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOPS = "nas_fusion|search_spaces|baselines|studies|tests|benchmarks|docs|examples"
SITE = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site_pages.py")
assert SITE is not None
assert SITE.loader is not None
site_pages = importlib.util.module_from_spec(SITE)
SITE.loader.exec_module(site_pages)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OF_OTHER_PROGRAMS = re.compile(
    r"`(?:make|python|pip|docker|tensorboard|mlflow) [^`]*`"
    r"|^ {4}(?:pip|docker|python -m benchmarks[.\w]*) .*$"
    r"|^ {4}(?:torchrun|srun) .*\\$",
    re.MULTILINE,
)
"""Command lines of other programs, in a text or in a line of their own; what starts others ends in the next line."""
BRIEF: dict[str, Any] = {"choice": "defaults", "retrain_epochs": 1}
"""Of a recipe: what a documented comparison is shortened by; options of the command line say the same."""
LINK = re.compile(r"\]\(([^)#]+)\)")
BLOCKS = [
    pytest.param(document, block, id=f"{document.stem}-{number}")
    for document in DOCUMENTS
    if document.parent.name != "contributing"  # recipes register what they make: tests/examples runs them
    for number, block in enumerate(BLOCK.findall(document.read_text("utf-8")))
    if "compare(" not in block and 'load("study/' not in block  # have tests of their own
]


def run_block(block: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run a block as a module that can be found, since NNI looks classes up by module and name."""
    module = ModuleType("documented")
    monkeypatch.setitem(sys.modules, "documented", module)
    exec(compile(block, "documented", "exec"), module.__dict__)
    return module


def block_with(document: str, text: str) -> str:
    found = [b for b in BLOCK.findall((ROOT / document).read_text("utf-8")) if text in b]
    assert len(found) == 1
    return str(found[0])


@pytest.fixture(autouse=True)
def _a_log_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    user, shop = rng.integers(0, 12, 600), rng.integers(0, 6, 600)
    price = rng.gamma(2.0, 3.0, 600)
    click = rng.random(600) < 0.2 + 0.6 * ((user + shop) % 2)
    frame = pd.DataFrame({"user": user, "shop": shop, "price": price, "click": click.astype(int)})
    frame.to_parquet("clicks.parquet")


@pytest.mark.parametrize(("document", "block"), BLOCKS)
def test_python_blocks_run(
    document: Path, block: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_block(block, monkeypatch)
    printed = capsys.readouterr().out
    assert bool(printed) == ("print(" in block)


@pytest.mark.slow
@pytest.mark.usefixtures("brief_look_ahead")
def test_the_readme_compares_a_frame(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained for as short as it goes, by a recipe that no sweep chose: that is most of the time."""

    def briefly(settings: ComparisonSettings, *arguments: Any) -> Any:
        return compare(replace(settings, recipe=replace(settings.recipe, **BRIEF)), *arguments)

    monkeypatch.setattr("nas_fusion.studies.compare", briefly)
    module = run_block(block_with("README.md", "compare("), monkeypatch)
    lines = [line for line in capsys.readouterr().out.splitlines() if "test AUC" in line]
    assert len(lines) == 6  # three strategies, two seeds
    schema = prepare(module.log, module.options).schema
    assert [(f.name, f.kind.value) for f in schema.fields] == [
        ("user", "categorical"),
        ("shop", "categorical"),
        ("price", "scaled"),
    ]
    for name in ("study.toml", "optuna.db", "results.csv", "report.html", "best_design.json", "best_design.svg"):
        assert Path("clicks-study", name).stat().st_size > 0
        assert name in (ROOT / "docs" / "guide" / "study-folder.md").read_text("utf-8")


def test_the_documented_strategy_searches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = run_block(block_with("docs/how-to/strategies.md", "class HillClimbing"), monkeypatch)
    task = tiny_task(tiny_data(tmp_path / "cache"), seed=1)
    first, second = run_search(module.ENTRY, task), run_search(module.ENTRY, task)
    assert first.candidates == task.candidates
    assert first.design == second.design
    distributions = module.ENTRY.distributions()
    assert set(distributions) == set(module.ENTRY.parameters)


@pytest.mark.parametrize("name", ["GatedSpace", "MaximumSpace"])
def test_the_documented_spaces_can_be_searched(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    space = getattr(run_block(block_with("docs/guide/design-space.md", f"class {name}"), monkeypatch), name)
    data = tiny_data(tmp_path / "cache")
    options = {"operations": ("add", "maximum")} if name == "MaximumSpace" else {}
    task = tiny_task(data, budget="1x")
    task = type(task)(
        **{**vars(task), "make_space": lambda: space.for_schema(data.schema, levels=1, emb_dim=2, **options)}
    )
    outcome = run_search(STRATEGIES.get("optfusion-hard"), task)
    made, plain = task.make_space(), tiny_space(data, levels=1)
    assert isinstance(outcome.design, FusionDesign)
    assert made.designs.problem(outcome.design) is None
    assert {type(m).__name__ for m in made.modules()} - {type(m).__name__ for m in plain.modules()} >= {
        {"GatedSpace": "GatedBlock", "MaximumSpace": "Maximum"}[name]
    }


@pytest.mark.slow
def test_the_model_folder_scores_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ComparisonSettings(
        source="clicks.parquet",
        data=DataOptions(),
        strategies=("stacked",),
        seeds=(0,),
        budget="1x",
        model=ModelSettings(levels=1, emb_dim=2),
        recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
        device="cpu",
    )
    compare(settings, prepare("clicks.parquet"), "study")
    pd.read_parquet("clicks.parquet").drop(columns="click").to_parquet("tomorrow.parquet")
    module = run_block(block_with("docs/guide/model-folder.md", 'load("study/'), monkeypatch)
    assert module.scores.shape == (600,)
    assert len(set(module.scores.tolist())) > 100


@pytest.mark.slow
def test_the_first_steps_can_be_taken(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "guide" / "first-steps.md").read_text("utf-8")
    lines = re.findall(r"^\$ nasfusion (.+)$", text, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        brief = ["--recipe", "defaults", "--epochs", "1"] if line.startswith("compare ") else []
        done = CommandProcess([*shlex.split(line), *brief], tmp_path)
        assert done.wait() == 0, f"{line}: {done.stderr}"
    assert (tmp_path / "first" / "report.html").stat().st_size > 0


# What documents name ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    targets = [t for t in LINK.findall(document.read_text("utf-8")) if "://" not in t]
    missing = [t for t in targets if not (document.parent / t).exists()]
    assert missing == []


def test_nothing_says_that_an_index_has_nas_fusion() -> None:
    """It is on none: who followed such words would install what somebody else has put there under its name."""
    from_index = re.compile(
        r"""pip3? install(?:\s+-\S+(?:\s+constraints.txt)?)*\s+["']?nas[-_]fusion(?![\w.-]*\.whl)"""
    )
    assert from_index.search("pip install -c constraints.txt 'nas-fusion[trees]'")
    assert not from_index.search("pip install -c constraints.txt nas_fusion-0.1.0-py3-none-any.whl")
    sources = [f for top in TOPS.split("|") for f in (ROOT / top).rglob("*.py") if f != Path(__file__).resolve()]
    assert [str(f) for f in [*DOCUMENTS, *sources] if from_index.search(f.read_text("utf-8"))] == []


def test_the_guide_names_every_strategy_and_documents_only_real_options() -> None:
    text = (ROOT / "docs" / "guide" / "comparisons.md").read_text("utf-8")
    for name, _ in STRATEGIES:
        assert f"`{name}`" in text, name
    known = {name for command in COMMANDS for option in command.options for name in option.spellings}
    known |= {"--help", "--version", "--install-completion"}
    for document in DOCUMENTS:
        text = OF_OTHER_PROGRAMS.sub("", document.read_text("utf-8"))
        unknown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)) - known
        assert not unknown, f"{document.name}: {unknown}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_documents_name_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    paths = set(re.findall(rf"`((?:{TOPS})/[\w./-]*)`", text))
    assert {path for path in paths if not (ROOT / path).exists()} == set()
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()
    targets = set(re.findall(r"`make ([a-z-]+)`", text)) | set(re.findall(r"^    make ([a-z-]+)", text, re.MULTILINE))
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert targets - rules == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_dotted_names_in_documents_can_be_imported(document: Path) -> None:
    groups = {
        "nas_fusion.log_formats",
        "nas_fusion.metrics",
        "nas_fusion.search_spaces",
        "nas_fusion.strategies",
    }  # of entry points
    names = set(re.findall(r"`(nas_fusion(?:\.\w+)+)`", document.read_text("utf-8"))) - groups
    assert {name for name in names if not can_be_imported(name)} == set()


def can_be_imported(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    return hasattr(importlib.import_module(module), attribute) or importlib.util.find_spec(name) is not None


# The site --------------------------------------------------------------------------------------------------------


def test_the_site_has_a_page_for_every_public_name() -> None:
    for module, names in site_pages.public_names().items():
        page = site_pages.reference_page(module, names)
        public = set(getattr(importlib.import_module(module), "__all__", names)) - {"__version__"}
        if module == "nas_fusion.nni_bridge":  # hands on NNI's names, which NNI documents
            public &= set(names)
        assert {name for name in public if f"::: {module}.{name}\n" not in page} == set()


def test_every_page_of_the_site_is_in_its_navigation() -> None:
    def leaves(part: object) -> list[str]:
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else [str(part)]
        return [str(part)] if isinstance(part, str) else [leaf for inner in parts for leaf in leaves(inner)]

    assert sorted(leaves(site_pages.configuration()["nav"])) == sorted(site_pages.pages())


def test_links_of_the_repository_become_links_of_the_site() -> None:
    text = (
        "[a](docs/guide/report.md#the-table) [b](CONTRIBUTING.md) [c](examples/plain_nni.py) [d](https://nowhere.org)"
    )
    assert site_pages.with_links_of_the_site(text, "index.md", "README.md") == (
        "[a](guide/report.md#the-table) [b](contributing/index.md) c [d](https://nowhere.org)"
    )
    text = "![p](../compare.svg) [r](../../README.md) [s](settings.md)"
    assert site_pages.with_links_of_the_site(text, "guide/x.md", "docs/guide/x.md") == (
        "![p](../compare.svg) [r](../index.md) [s](settings.md)"
    )
