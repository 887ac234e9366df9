"""The layout: folders, symlinks, wheel, import guards, the direction of imports."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OUTSIDE = ("baselines", "search_spaces", "studies")
"""Folders at the top that install below nas_fusion."""
OPTIONAL = {
    "serving": ("export",),
    "studies": ("grpc",),
    "testing": ("dev",),
    "tracking": ("mlflow", "tensorboard", "wandb"),
}
"""Folders that may import what an extra brings."""
COPIED = ROOT / "nas_fusion" / "serving" / "export" / "reference"
"""Its files are copied beside each other, where no package is, and name each other so."""
TEMPLATES = ROOT / "nas_fusion" / "report" / "pages" / "templates"


def sources() -> Iterator[tuple[str, Path]]:
    """Every module of the package as (dotted name below nas_fusion, file); symlinks are not followed."""
    for top in ("nas_fusion", *OUTSIDE):
        for folder, folders, files in os.walk(ROOT / top):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for file in files:
                if file.endswith(".py"):
                    path = Path(folder, file)
                    parts = path.relative_to(ROOT).with_suffix("").parts
                    yield ".".join(parts[1:] if top == "nas_fusion" else parts), path


def imports(path: Path, *, type_checking: bool = True) -> Iterator[str]:
    """The absolute names that a file imports; with or without those for type checkers only."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not type_checking:
            pending += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            pending += ast.iter_child_nodes(node)


def tracked_files() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name]


# Folders ---------------------------------------------------------------------------------------------------------


def test_folders_on_disk_are_the_packages() -> None:
    found = {("nas_fusion." + name).removesuffix(".__init__") for name, path in sources() if path.name == "__init__.py"}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_no_module_lies_in_a_folder_without_init() -> None:
    assert [str(path) for _, path in sources() if not (path.parent / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", OUTSIDE)
def test_symlinks_are_relative_and_lead_to_the_folders(name: str) -> None:
    link = ROOT / "nas_fusion" / name
    assert os.readlink(link) == f"../{name}"
    assert link.resolve() == ROOT / name
    assert PROJECT["tool"]["setuptools"]["package-dir"][f"nas_fusion.{name}"] == name


def test_tools_look_at_the_whole_package() -> None:
    tools = PROJECT["tool"]
    assert tools["mypy"]["files"] == ["nas_fusion", "tests", "benchmarks"]
    assert set(tools["coverage"]["run"]["source"]) == {"nas_fusion", *OUTSIDE}


@pytest.mark.parametrize("name", OUTSIDE)
def test_bare_imports_are_refused(name: str) -> None:
    code = f"import sys; sys.path.insert(0, ''); import {name}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"ImportError: import this package as nas_fusion.{name}" in done.stderr


# The wheel -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy since building writes into the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "shared", "nasfusion-studies")
    shutil.copytree(ROOT, folder / "tree", symlinks=True, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), "."]
    done = subprocess.run(command, cwd=folder / "tree", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    modules = {f"nas_fusion/{name.replace('.', '/')}.py" for name, _ in sources()}
    info = f"nas_fusion-{PROJECT['project']['version']}.dist-info"
    assert {name for name in names if not name.startswith(f"{info}/")} == modules | {
        "nas_fusion/py.typed",
        *(f"nas_fusion/nni_bridge/manager/{name}.js" for name in ("guard", "remote_machines")),
        *(f"nas_fusion/report/pages/templates/{file.name}" for file in TEMPLATES.iterdir()),
        *(f"nas_fusion/studies/presets/{file.name}" for file in (ROOT / "studies" / "presets").iterdir()),
    }
    assert {name.split("/")[0] for name in names} == {"nas_fusion", info}
    assert f"{info}/licenses/LICENSE" in names


@pytest.mark.slow
def test_the_wheel_has_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "nasfusion = nas_fusion.cli:main" in archive.read(points).decode()


@pytest.mark.slow
def test_the_wheel_works_beside_a_folder_of_the_same_name(wheel: Path, tmp_path: Path) -> None:
    """A user's own `baselines/`, first on the path, is neither used nor in the way."""
    (tmp_path / "site").mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "work" / "baselines").mkdir(parents=True)
    (tmp_path / "work" / "baselines" / "__init__.py").write_text("MINE = True\n")
    code = (
        "import baselines, nas_fusion.baselines as ours; from nas_fusion.baselines import stacked; "
        "print(baselines.MINE, ours.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "work"), str(tmp_path / "site")])}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    mine, place = done.stdout.split()
    assert mine == "True"
    assert Path(place) == tmp_path / "site" / "nas_fusion" / "baselines" / "__init__.py"


# Imports ---------------------------------------------------------------------------------------------------------


def part_of(dotted: str) -> str:
    return dotted.partition(".")[0]


def canonical(requirement: str) -> str:
    """A distribution's name without version, in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[; ]", requirement)[0]).lower()


def test_the_package_itself_imports_nothing_slow() -> None:
    allowed = {"__future__", "importlib", "typing"}
    found = {i.split(".")[0] for i in imports(ROOT / "nas_fusion" / "__init__.py", type_checking=False)}
    assert found <= allowed


def test_only_the_bridge_imports_nni() -> None:
    users = {part_of(name) for name, path in sources() for i in imports(path) if i.split(".")[0] == "nni"}
    assert users == {"nni_bridge"}


def test_the_package_imports_only_itself_by_its_full_name() -> None:
    bare = [f"{path.name}: {i}" for _, path in sources() for i in imports(path) if i.split(".")[0] in OUTSIDE]
    assert bare == []


def test_third_party_imports_are_declared() -> None:
    """What is imported is named in pyproject.toml, not left to what others happen to need."""
    declared = {canonical(d) for d in PROJECT["project"]["dependencies"]}
    extras = PROJECT["project"]["optional-dependencies"]
    owners = packages_distributions()
    missing = set()
    for name, path in sources():
        for imported in imports(path):
            top = imported.split(".")[0]
            if top in ("nas_fusion", "_typeshed") or top in sys.stdlib_module_names:  # `_typeshed` is for mypy alone
                continue
            if path.parent == COPIED and (COPIED / f"{top}.py").is_file():
                continue
            optional = OPTIONAL.get(part_of(name), ())
            known = declared.union(*({canonical(d) for d in extras[one]} for one in optional))
            if not {canonical(owner) for owner in owners.get(top, [top])} & known:
                missing.add(f"{top} ({path.relative_to(ROOT)})")
    assert missing == set()


# What must not be in the repository ------------------------------------------------------------------------------


def test_no_file_names_a_machine_or_a_registry() -> None:
    # Written in pieces, so that this file does not hold what it looks for.
    homes = "|".join(["work", "home", "root", "Users", "mnt", "opt"])
    paths = re.compile(rf"(?<![\w.~\-/>*)}}\]])/(?:{homes})/\w")
    hosts = re.compile("|".join(["py" + r"pi\.org", "python" + "hosted", "index" + "-url", "npm" + r"js\.org"]))
    found = []
    for file in tracked_files():
        if file.is_symlink() or not file.is_file():
            continue
        for number, line in enumerate(file.read_bytes().decode("utf-8", "ignore").splitlines(), start=1):
            if paths.search(line) or hosts.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_no_data_is_in_the_repository() -> None:
    data = {".parquet", ".npy", ".pt", ".db", ".gz", ".libsvm"}
    assert [str(f.relative_to(ROOT)) for f in tracked_files() if f.suffix in data] == []
