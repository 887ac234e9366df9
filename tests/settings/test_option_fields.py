"""Fields that are options: checked by what is declared of them, in one place."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nas_fusion.bounds import Bound
from nas_fusion.errors import OptionError
from nas_fusion.settings import Panel, check_fields, default_of, has_default, options_of
from nas_fusion.settings.option import REQUIRED, flag, number, path, text, word


@dataclass(frozen=True)
class Example:
    place: Path = path(REQUIRED, "A place.", panel=Panel.WRITTEN, placed=True)
    count: int = number(3, Bound(1, 4), "How many.", panel=Panel.MODEL)
    rate: float = number(0.0, Bound(0, 1, integer=False, above=True), "How fast.", panel=Panel.RECIPE, zero="chosen")
    way: str = word("up", ("up", "down"), "Which way.", panel=Panel.MODEL)
    name: str | None = text(None, "A name.", panel=Panel.DATA, form="a name in capitals", allows=str.isupper)
    quick: bool = flag(False, "Be quick.", panel=Panel.RUN)
    other: int = 7

    def __post_init__(self) -> None:
        check_fields(self)


def test_what_is_declared_is_kept() -> None:
    assert Example(Path("x")) == Example(Path("x"), 3, 0.0, "up", None, False)
    assert Example.count == 3
    assert list(options_of(Example)) == ["place", "count", "rate", "way", "name", "quick"]
    assert [name for name in options_of(Example) if not has_default(Example, name)] == ["place"]
    assert default_of(Example, "place") is None
    assert default_of(Example, "rate") == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 5}, "count must be an integer from 1 to 4, got 5"),
        ({"count": None}, "count must be an integer from 1 to 4, got None"),
        ({"rate": -1.0}, "rate must be 0 or a number above 0, at most 1, got -1.0"),
        ({"way": "left"}, "way must be one of up, down, got 'left'"),
        ({"name": ""}, "name must be a text that is not empty, got ''"),
        ({"name": "low"}, "name must be a name in capitals, got 'low'"),
        ({"quick": 1}, "quick must be true or false, got 1"),
    ],
)
def test_what_is_not_allowed_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        Example(**{"place": Path("x"), **change})  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_the_room_imports_nothing_slow() -> None:
    code = (
        "import sys, nas_fusion.settings, nas_fusion.settings.dotted_names, nas_fusion.settings.study_toml\n"
        "slow = {'torch', 'nni', 'pandas', 'numpy', 'optuna', 'cyclopts', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
