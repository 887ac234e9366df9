"""How many connections were closed, and rightly: a case by hand, and a planted log's teacher."""

from __future__ import annotations

import pytest

from nas_fusion.data import PlantedLog
from nas_fusion.design import FusionDesign
from nas_fusion.measures import connection_shares

TEACHER = FusionDesign.build(1, [("embedding", "cross1"), ("cross1", "output"), ("embedding", "output")], "add")


def test_shares_by_hand() -> None:
    """Nine candidates, of which the teacher has three."""
    found = FusionDesign.build(
        1, [("embedding", "cross1"), ("cross1", "output"), ("embedding", "deep1"), ("deep1", "output")], "add"
    )
    shares = connection_shares(found, TEACHER)
    assert shares == pytest.approx({"closed": 5 / 9, "closed_rightly": 4 / 6, "kept_rightly": 2 / 3})
    assert connection_shares(found) == pytest.approx({"closed": 5 / 9})
    assert connection_shares(TEACHER, TEACHER) == pytest.approx(
        {"closed": 6 / 9, "closed_rightly": 1.0, "kept_rightly": 1.0}
    )


def test_what_cannot_reach_the_output_counts_as_closed() -> None:
    found = FusionDesign.build(1, [("embedding", "output"), ("embedding", "deep1")], "add")
    assert connection_shares(found, TEACHER) == pytest.approx(
        {"closed": 8 / 9, "closed_rightly": 1.0, "kept_rightly": 1 / 3}
    )


def test_designs_of_other_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="a teacher of 1 levels was expected, got 3"):
        connection_shares(TEACHER, PlantedLog("product").design)


@pytest.mark.parametrize(("teacher", "levels"), [("product", 3), ("dense", 3), ("deep", 3), ("sparse", 1)])
def test_a_planted_log_knows_its_teacher_in_every_space_that_holds_it(teacher: str, levels: int) -> None:
    log = PlantedLog(teacher)
    assert log.teacher_at(levels - 1) is None or levels == 1
    for size in (levels, levels + 1):
        own = log.teacher_at(size)
        assert own is not None
        assert own.levels == size
        shares = connection_shares(own, own)
        assert shares["closed_rightly"] == shares["kept_rightly"] == 1.0
