"""Budgets: how they are written, and that every strategy keeps to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas_fusion.data import SearchData
from nas_fusion.errors import OptionError
from nas_fusion.search import Budget, run_search
from nas_fusion.search.multitrial.budget_shares import samples_per_candidate
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing.small_task import BATCH_SIZE, tiny_data, tiny_task

pytestmark = pytest.mark.slow

SEARCHED = [name for name, entry in STRATEGIES if entry.kind != "reference" and entry.mode == "hard"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SearchData:
    return tiny_data(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize(
    ("text", "samples"),
    [("5x", 5000), ("0.5x", 500), ("0.3335x", 334), ("400k", 400_000), ("1.5M", 1_500_000), (" 123 ", 123)],
)
def test_forms(text: str, samples: int) -> None:
    assert Budget.parse(text, train_rows=1000) == Budget(samples)


@pytest.mark.parametrize(
    ("text", "budget", "words"),
    [
        (
            "12c",
            Budget(12_000, candidates=12),
            "12 candidate trainings of 1,000 samples (12,000 samples seen while searching)",
        ),
        (
            "3 candidates",
            Budget(3_000, candidates=3),
            "3 candidate trainings of 1,000 samples (3,000 samples seen while searching)",
        ),
        (
            "1 candidate",
            Budget(1_000, candidates=1),
            "1 candidate training of 1,000 samples (1,000 samples seen while searching)",
        ),
        (
            "4c:0.5x",
            Budget(2_000, candidates=4),
            "4 candidate trainings of 500 samples (2,000 samples seen while searching)",
        ),
        (
            "2c:1.5k",
            Budget(3_000, candidates=2),
            "2 candidate trainings of 1,500 samples (3,000 samples seen while searching)",
        ),
        ("600s", Budget(seconds=600.0), "600 seconds of searching"),
        ("10m", Budget(seconds=600.0), "600 seconds of searching"),
        ("1.5h", Budget(seconds=5400.0), "5,400 seconds of searching"),
    ],
)
def test_candidate_trainings_and_seconds(text: str, budget: Budget, words: str) -> None:
    found = Budget.parse(text, train_rows=1000)
    assert found == budget
    assert str(found) == words
    assert found.is_repeatable == (budget.seconds is None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "-1x", "0", "0x", "5 x", "1e6", "nan", "five"),
        *("0c", "1.5c", "c", "12 c c", "12c:", "12c:0x", "12c:10s", "12C", "-3c", "0s", "-1s", "10 s", "10min", "1e3s"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"budget must be samples .* candidate trainings .* or seconds"):
        Budget.parse(text, train_rows=1000)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"samples": 0},
        {"samples": 5, "seconds": 5.0},
        {"seconds": 0.0},
        {"seconds": float("inf")},
        {"seconds": 5.0, "candidates": 2},
        {"samples": 5, "candidates": 0},
    ],
)
def test_a_budget_is_samples_or_seconds(values: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="budget"):
        Budget(**values)


def test_a_budget_in_candidate_trainings_decides_their_number(data: SearchData) -> None:
    task = tiny_task(data, budget="3c:512", candidates=7)
    assert task.candidates == 3
    outcome = run_search(STRATEGIES.get("random"), task)
    assert (outcome.candidates, outcome.samples) == (3, 3 * 512)
    oneshot = run_search(STRATEGIES.get("darts"), task)
    assert 3 * 512 <= oneshot.samples <= 3 * 512 + 2 * BATCH_SIZE


def test_a_candidates_share_is_whole_batches() -> None:
    assert samples_per_candidate(10_000, 4, 256) == 9 * 256
    assert samples_per_candidate(100, 10, 256) == 256


@pytest.mark.parametrize("name", SEARCHED)
def test_what_is_spent_is_what_was_given(name: str, data: SearchData) -> None:
    task = tiny_task(data)
    outcome = run_search(STRATEGIES.get(name), task)
    assert task.budget.samples is not None
    # Multi-trial strategies divide it into whole batches per candidate; DARTS takes two batches at a time.
    least = task.candidates * samples_per_candidate(task.budget.samples, task.candidates, BATCH_SIZE)
    assert min(least, task.budget.samples) <= outcome.samples <= task.budget.samples + 2 * BATCH_SIZE
    assert outcome.trace[-1].samples == outcome.samples or name in ("random-oneshot",)
    assert [point.samples for point in outcome.trace] == sorted(point.samples for point in outcome.trace)


def test_a_search_leaves_the_random_state_and_the_folder_alone(
    data: SearchData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run_search(STRATEGIES.get("random"), tiny_task(data, budget="0.5x"))
    assert torch.equal(torch.rand(3), expected)
    assert list(tmp_path.iterdir()) == []
