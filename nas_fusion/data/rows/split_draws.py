"""How rows are divided where no column says it: by chance, by time, by groups.

A split is a position in `SPLITS`, one byte a row; `shares` are the relative sizes of the three.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.data.schema import SPLITS

Codes = npt.NDArray[np.int8]
Shares = tuple[float, float, float]

FEWEST_EXPECTED = 10
"""A split in which fewer rows of a class are expected gets its share of them by stratifying: chance would often leave
it with half or twice as many, and sometimes with none."""


def sizes(rows: int, shares: Shares) -> tuple[int, int, int]:
    """The exact number of rows of the three splits."""
    train, valid = (round(rows * share / sum(shares)) for share in shares[:2])
    return train, valid, rows - train - valid


def by_chance(rows: int, shares: Shares, seed: int) -> Codes:
    """Splits of exact sizes, shuffled, int8 ``[rows]``: one byte per row is all the memory that it takes."""
    codes = np.repeat(np.arange(len(SPLITS), dtype=np.int8), sizes(rows, shares))
    np.random.default_rng(seed).shuffle(codes)
    return codes


def stratified(labels: Codes, shares: Shares, seed: int) -> Codes:
    """By chance among the positives and among the negatives, so that each split has its share of both.

    A class of at least three rows is in every split. Sizes are exact, unless that asks for a row more or less.

    Args:
        labels: 0 or 1, int8 ``[rows]``.
        shares: of the three splits.
        seed: of the shuffling.
    """
    codes = np.empty(len(labels), np.int8)
    rng = np.random.default_rng(seed)
    rarer = int(2 * labels.sum() <= len(labels))
    rare, rest = (_in_every_split(int((labels == label).sum()), shares) for label in (rarer, 1 - rarer))
    exact = np.array(sizes(len(labels), shares)) - rare
    for label, counts in ((rarer, rare), (1 - rarer, exact if exact.min() > 0 else rest)):
        chosen = labels == label
        drawn = np.repeat(np.arange(len(SPLITS), dtype=np.int8), counts)
        rng.shuffle(drawn)
        codes[chosen] = drawn
    return codes


def _in_every_split(rows: int, shares: Shares) -> npt.NDArray[np.int64]:
    """Sizes of the three splits, none of them 0 where there are rows enough."""
    counts = np.array(sizes(rows, shares), np.int64)
    while rows >= len(SPLITS) and not counts.all():
        counts[counts.argmin()] += 1
        counts[counts.argmax()] -= 1
    return counts


def by_time(times: npt.NDArray[np.number], shares: Shares) -> Codes:
    """The oldest rows train, the newest test; rows of equal time are cut in the order of the log.

    Args:
        times: what orders the rows, ``[rows]``.
        shares: of the three splits.

    Returns:
        int8 ``[rows]``.
    """
    codes = np.zeros(len(times), np.int8)
    train, valid, _ = sizes(len(times), shares)
    for cut in (train, train + valid):
        if cut < len(times):
            border = np.partition(times, cut)[cut]
            older, equal = times < border, np.flatnonzero(times == border)
            codes[times > border] += 1
            codes[equal[cut - int(older.sum()) :]] += 1
    return codes


def by_group(groups: npt.NDArray[np.int32], shares: Shares, seed: int) -> Codes:
    """Whole groups by chance: no group is in two splits, and sizes are as near as the groups allow.

    The groups are shuffled and laid one after the other; a group belongs where its middle lies.

    Args:
        groups: the number of every row's group, from 0 without gaps, int32 ``[rows]``.
        shares: of the three splits.
        seed: of the shuffling.

    Returns:
        int8 ``[rows]``.
    """
    counts = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(counts))
    ends = np.cumsum(counts[order])
    middles = ends - counts[order] / 2
    train, valid, _ = sizes(len(groups), shares)
    codes = np.empty(len(counts), np.int8)
    codes[order] = (middles > train).astype(np.int8) + (middles > train + valid).astype(np.int8)
    for split in range(len(SPLITS)):  # where groups are few, one may have been passed over
        members = np.bincount(codes, minlength=len(SPLITS))
        if not members[split] and members.max() > 1:
            of_largest = np.flatnonzero(codes == members.argmax())
            codes[of_largest[counts[of_largest].argmin()]] = split
    return codes[groups]
