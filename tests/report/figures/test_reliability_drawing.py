"""The reliability curve of one model, as a drawing."""

from __future__ import annotations

from xml.etree import ElementTree

from nas_fusion.records import ReliabilityBin
from nas_fusion.report import draw_reliability

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*pairs: tuple[float, float]) -> tuple[list[tuple[float, float]], list[str]]:
    """The circles' places, and the texts."""
    root = ElementTree.fromstring(draw_reliability([ReliabilityBin(p, o, 10.0) for p, o in pairs], "a < b"))
    circles = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SVG}circle")]
    return circles, [str(t.text) for t in root.iter(f"{SVG}text")]


def test_bins_stand_where_they_belong_and_the_axes_fit_them() -> None:
    circles, texts = drawn((0.0, 0.0), (0.25, 0.7))
    assert circles == [(62.0, 340.0), (62.0 + 75.0, 130.0)]  # of a square of 300, whose axes end at 1
    assert texts[0] == "a < b"
    assert texts[1:13:2] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_rare_clicks_have_axes_of_their_own() -> None:
    circles, texts = drawn((0.01, 0.04))
    assert circles == [(62.0 + 60.0, 100.0)]  # the axes end at .05
    assert "0.05" in texts
    assert "1" not in texts
