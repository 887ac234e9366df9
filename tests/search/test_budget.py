"""Budgets: how they are written, and that every strategy keeps to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_fusion.data import SearchData
from nas_fusion.errors import OptionError
from nas_fusion.search import Budget, run_search
from nas_fusion.search._multitrial import samples_per_candidate
from nas_fusion.strategy import STRATEGIES
from nas_fusion.testing._task import BATCH_SIZE, tiny_data, tiny_task

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


@pytest.mark.parametrize("text", ["", "x", "-1x", "0", "0x", "5 x", "1e6", "3m", "nan", "five"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="budget"):
        Budget.parse(text, train_rows=1000)


def test_a_candidates_share_is_whole_batches() -> None:
    assert samples_per_candidate(10_000, 4, 256) == 9 * 256
    assert samples_per_candidate(100, 10, 256) == 256


@pytest.mark.parametrize("name", SEARCHED)
def test_what_is_spent_is_what_was_given(name: str, data: SearchData) -> None:
    task = tiny_task(data)
    outcome = run_search(STRATEGIES.get(name), task)
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
