"""Which epoch is kept: the best, or the smallest that is as good but for the noise."""

from __future__ import annotations

from functools import partial

from nas_fusion.training import EpochRecord, SizeRule
from nas_fusion.training.watching import EpochChoice


def record(epoch: int, auc: float, logloss: float = 0.5) -> EpochRecord:
    return EpochRecord(epoch, epoch * 100, float(epoch), auc, logloss, 0.5)


def kept(aucs: list[float], sizes: list[float], noise: float) -> tuple[int, int]:
    """The epoch that is kept, and how many states were held at most."""
    size = iter(sizes)
    choice: EpochChoice[EpochRecord, int] = EpochChoice("auc", SizeRule(lambda: next(size), lambda best: noise))
    most = 0
    for epoch, auc in enumerate(aucs, start=1):
        choice.offer(record(epoch, auc), partial(int, epoch))
        most = max(most, choice.held)
    assert choice.record is not None
    assert choice.record.epoch == choice.kept
    return choice.record.epoch, most


def test_without_a_rule_the_best_epoch_is_kept_and_of_equals_the_first() -> None:
    choice: EpochChoice[EpochRecord, int] = EpochChoice("auc")
    for epoch, auc in enumerate([0.6, 0.8, 0.7, 0.8], start=1):
        choice.offer(record(epoch, auc), partial(int, epoch))
    assert choice.kept == 2
    choice.offer(record(5, 0.8, logloss=0.4), lambda: 5)
    assert choice.kept == 5, "of equal AUCs the better logloss"


def test_the_smallest_within_the_noise_is_kept() -> None:
    assert kept([0.700, 0.750, 0.749, 0.745, 0.70], [30, 30, 20, 10, 1], 0.002)[0] == 3
    assert kept([0.700, 0.750, 0.749, 0.745, 0.70], [30, 30, 20, 10, 1], 0.006)[0] == 4
    assert kept([0.700, 0.750, 0.749, 0.745, 0.70], [30, 30, 20, 10, 1], 0.0)[0] == 2


def test_a_later_best_epoch_ends_what_was_as_good_before() -> None:
    epoch, most = kept([0.70, 0.699, 0.75, 0.7495], [30, 5, 30, 28], 0.002)
    assert epoch == 4
    assert most == 2, "states that cannot be kept any more are forgotten"


def test_of_equal_sizes_the_better_is_kept() -> None:
    assert kept([0.749, 0.750, 0.7495], [10, 10, 10], 0.002)[0] == 2
