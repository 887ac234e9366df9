"""Help as a terminal of 80 columns shows it: no name is cut, nothing is left out."""

from __future__ import annotations

import re

import pytest

from nas_fusion.cli import COMMANDS, Command, main
from nas_fusion.settings import Panel

WIDTHS = (80, 100)


def page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, *arguments: str) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.called)
def test_every_name_is_whole(
    command: Command, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(monkeypatch, capsys, width, command.called, "--help")
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    names = {name for line in lines for name in re.findall(r"(?:│ +| )(--[a-z0-9-]+)(?= |$)", line)}
    for one in command.options:
        if not one.option.placed:
            assert set(one.spellings) <= names
            assert any(f"{one.flag} {one.option.metavar}".strip() in line for line in lines)
        assert (one.flag if one.option.placed else one.option.metavar) in text
    for line in lines:
        left = line[: line.find("  ", 2)] if line.startswith("│ -") else ""
        assert "…" not in left
    assert "...\n" not in text


def test_panels_stand_in_order_and_what_matters_comes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(monkeypatch, capsys, 80, "compare", "--help")
    places = [text.index(f"╭─ {panel.value} ─") for panel in Panel]
    assert places == sorted(places)
    first = text[places[0] : places[1]]
    for name in (
        "--data",
        "--label",
        "--split",
        "--preset",
        "--strategies",
        "--budget",
        "--seeds",
        "--tune",
        "--study",
    ):
        assert f"│ {name} " in first


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_first_page(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = page(monkeypatch, capsys, 80, *arguments).splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split()[1] for line in lines if re.match(r"│ [a-z]", line)]
    assert listed == [command.called for command in COMMANDS]
    for option in ("--help", "-h", "--version", "--install-completion"):
        assert any(option in line for line in lines)


def test_short_help_and_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert page(monkeypatch, capsys, 80, "search", "-h") == page(monkeypatch, capsys, 80, "search", "--help")
    assert page(monkeypatch, capsys, 80, "--version") == page(monkeypatch, capsys, 80, "version")
