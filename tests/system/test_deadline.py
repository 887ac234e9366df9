"""Deadlines: when they come, and who is ended by them."""

from __future__ import annotations

import math

import pytest

from nas_fusion.system.deadline import (
    Deadline,
    TimeIsUp,
    check_deadline,
    ending_by,
    has_time_for,
    has_to_end,
    is_watched,
    until,
)


class Clock:
    """Shows what it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_deadline_counts_down_and_comes() -> None:
    clock = Clock()
    deadline = Deadline(10, clock)
    clock.now = 104
    assert (deadline.elapsed, deadline.left, deadline.is_set) == (4, 6, True)
    assert deadline.sooner(2).left == 4
    with until(deadline):
        check_deadline()
        clock.now = 110
        with pytest.raises(TimeIsUp):
            check_deadline()
    check_deadline()


def test_without_a_deadline_nothing_is_ended() -> None:
    assert not is_watched()
    with until(Deadline()):
        check_deadline()
        assert not is_watched()
    assert Deadline().left == math.inf


def test_the_sooner_one_of_two_holds() -> None:
    clock = Clock()
    with until(Deadline(5, clock)), until(Deadline(50, clock)):
        clock.now = 106
        with pytest.raises(TimeIsUp):
            check_deadline()


def test_no_except_of_a_strategy_swallows_it() -> None:
    assert not issubclass(TimeIsUp, Exception)


def test_what_can_end_with_what_it_has_is_told_to_and_nothing_is_raised() -> None:
    clock = Clock()
    assert not has_to_end()
    with ending_by(Deadline(10, clock)):
        assert is_watched()
        assert not has_to_end()
        assert has_time_for(10)
        assert not has_time_for(10.5)
        clock.now = 110
        assert has_to_end()
        check_deadline()
    assert not has_to_end()
    assert has_time_for(1e9)
    with ending_by(Deadline(math.inf, clock)):
        assert not is_watched()
