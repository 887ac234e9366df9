"""The registry: names, misses, entry points."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

import nas_fusion.registry
from nas_fusion.errors import NasFusionError, UnknownNameError
from nas_fusion.registry import Registry, RegistryError

GROUP = "nas_fusion.things"


@dataclass(frozen=True)
class Thing:
    colour: str


RED = Thing("red")


def make_blue() -> Thing:
    return Thing("blue")


class Installed:
    """Stands in for the installed packages' entry points, and counts how often they are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
        self.asked: list[str] = []
        self.points = [EntryPoint(name, value, GROUP) for name, value in values.items()]
        monkeypatch.setattr(nas_fusion.registry, "entry_points", self)

    def __call__(self, *, group: str) -> list[EntryPoint]:
        self.asked.append(group)
        return self.points


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Registry[Thing]:
    Installed(monkeypatch)
    registry = Registry("thing", GROUP, Thing)
    for name in ("random", "evolution", "darts"):
        registry.register(name, Thing(name))
    return registry


def test_entries_come_back_in_the_order_of_registration(things: Registry[Thing]) -> None:
    assert things.get("evolution") == Thing("evolution")
    assert things.names() == ("random", "evolution", "darts")
    assert dict(things) == {name: Thing(name) for name in things.names()}


def test_a_name_is_registered_once(things: Registry[Thing]) -> None:
    with pytest.raises(RegistryError, match="thing 'random' is registered twice"):
        things.register("random", RED)
    assert things.get("random") == Thing("random")


def test_a_miss_lists_the_nearest_first(things: Registry[Thing]) -> None:
    with pytest.raises(UnknownNameError, match="unknown thing 'evoluton': did you mean 'evolution'") as missed:
        things.get("evoluton")
    assert missed.value.known[0] == "evolution"
    assert set(missed.value.known) == {"random", "evolution", "darts"}
    assert isinstance(missed.value, LookupError)
    assert isinstance(missed.value, NasFusionError)


def test_a_miss_in_an_empty_registry_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    Installed(monkeypatch)
    with pytest.raises(UnknownNameError, match="known are none"):
        Registry("thing", GROUP, Thing).get("x")


def test_entry_points_may_name_an_entry_or_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("their_package")
    vars(package).update(RED=RED, make_blue=make_blue)
    monkeypatch.setitem(sys.modules, "their_package", package)
    Installed(monkeypatch, red="their_package:RED", blue="their_package:make_blue")
    things = Registry("thing", GROUP, Thing)
    assert things.get("red") == RED
    assert things.get("blue") == Thing("blue")


def test_everything_is_loaded_late_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Installed(monkeypatch)
    calls: list[str] = []
    things: Registry[Thing]

    def built_in() -> None:
        calls.append("built in")
        things.register("own", RED)

    things = Registry("thing", GROUP, Thing, built_in=built_in)
    assert (calls, installed.asked) == ([], [])
    things.get("own")
    assert things.names() == ("own",)
    assert list(things) == [("own", RED)]
    assert (calls, installed.asked) == (["built in"], [GROUP])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_package_at_all:ENTRY", "ModuleNotFoundError: No module named 'no_such_package_at_all'"),
        ("json:no_such_attribute", "has no attribute 'no_such_attribute'"),
        ("json:decoder", "must be a Thing, got module"),
        ("builtins:dict", "must be a Thing, got dict"),
        ("their_package:raises", "RuntimeError: not today"),
        ("their_package:leaves", "SystemExit: 0"),
        ("their_package:PINK", "it is pink"),
    ],
)
def test_a_broken_entry_point_hurts_only_itself(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def raises() -> Thing:
        raise RuntimeError("not today")

    def leaves() -> Thing:
        raise SystemExit(0)

    package = ModuleType("their_package")
    vars(package).update(raises=raises, leaves=leaves, PINK=Thing("pink"), RED=RED)
    monkeypatch.setitem(sys.modules, "their_package", package)
    Installed(monkeypatch, broken=value, red="their_package:RED")
    things = Registry("thing", GROUP, Thing, problem=lambda name, t: "it is pink" if t.colour == "pink" else None)
    assert things.names() == ("red",)
    assert dict(things) == {"red": RED}
    with pytest.raises(RegistryError) as failed:
        things.get("broken")
    words = str(failed.value)
    assert words.startswith(f"thing 'broken' ({value}) cannot be used: ")
    assert message in words
    assert things.broken() == (words,)
    assert caplog.messages == [words], "told of once"
    with pytest.raises(UnknownNameError, match="unknown thing 'rad': did you mean 'red'"):
        things.get("rad")


def test_a_third_party_cannot_replace_another_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    Installed(monkeypatch, random="builtins:dict")
    things = Registry("thing", GROUP, dict)
    things.register("random", {"ours": 1})
    assert things.names() == ("random",)
    assert things.get("random") == {"ours": 1}
    (line,) = things.broken()
    assert line == "thing 'random' (builtins:dict) cannot be used: thing 'random' is registered twice"
