"""In what cells differ that were computed at different times or places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nas_fusion.records import CellRecord
from nas_fusion.report.provenance import UNRECORDED, Difference, changes, differences, facts
from tests.report.report_fakes import comparison_records

HERE = {"versions": {"torch": "2.13.0", "numpy": "2.4"}, "device": "cpu", "threads": 2, "precision": "32"}
OLD = {**HERE, "versions": {"torch": "2.12.0", "numpy": "2.4"}, "threads": 4}


def records(*provenance: Mapping[str, Any]) -> list[CellRecord]:
    """One record per provenance, of different cells."""
    return [replace(r, provenance=p) for r, p in zip(comparison_records(), provenance, strict=False)]


def test_cells_of_the_same_machine_do_not_differ() -> None:
    assert differences(records(HERE, HERE, HERE)) == ()
    assert differences(records({}, {})) == ()
    assert differences([]) == ()


def test_each_difference_names_its_cells_the_commonest_first() -> None:
    found = records(OLD, HERE, HERE)
    cells = [(r.strategy, r.seed) for r in found]
    assert differences(found) == (
        Difference("torch", (("2.13.0", tuple(cells[1:])), ("2.12.0", (cells[0],)))),
        Difference("threads", (("2", tuple(cells[1:])), ("4", (cells[0],)))),
    )
    strategy, seed = cells[0]
    assert str(differences(found)[0]) == f"torch: 2.13.0 (2 cells), 2.12.0 ({strategy} seed {seed})"


def test_cells_that_say_nothing_differ_from_those_that_do() -> None:
    found = differences(records(HERE, HERE, {}))
    assert [d.name for d in found] == list(facts(HERE))
    assert all(d.values[1][0] == UNRECORDED for d in found)


def test_a_search_that_another_process_ran_is_told_of() -> None:
    shared = {**HERE, "search": {**OLD, "precision": "32"}}
    found = records(HERE, shared, HERE)
    second = (found[1].strategy, found[1].seed)
    names = {d.name: d.values for d in differences(found)}
    assert list(names) == ["torch of the search", "threads of the search"]
    assert names["torch of the search"][1] == ("2.12.0", (second,))


def test_what_has_changed_since_is_what_is_not_as_now() -> None:
    found = records(OLD, HERE, {})
    cell = (found[0].strategy, found[0].seed)
    assert changes(found, HERE) == (
        Difference("torch", (("2.12.0", (cell,)),)),
        Difference("threads", (("4", (cell,)),)),
    )
    assert changes(found[1:], HERE) == ()
    assert changes([], HERE) == ()
