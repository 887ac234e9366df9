"""What an AUC of a model that knows nothing may be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from nas_fusion.errors import OptionError
from nas_fusion.statistics import auc_error, chance_margin


@pytest.mark.parametrize(("positives", "negatives"), [(1, 1), (5, 200), (60, 40)])
def test_the_error_is_the_spread_of_random_scores(positives: int, negatives: int) -> None:
    rng = np.random.default_rng(positives)
    ranks = rankdata(rng.random((20_000, positives + negatives)), axis=1)[:, :positives].sum(axis=1)
    aucs = (ranks - positives * (positives + 1) / 2) / (positives * negatives)
    assert auc_error(positives, negatives) == pytest.approx(float(np.std(aucs)), rel=0.02)


def test_the_margin_is_two_errors_and_never_less_than_two_hundredths() -> None:
    assert chance_margin(400, 0.1) == pytest.approx(2 * auc_error(40, 360))
    assert chance_margin(4_500_000, 0.25) == 0.02
    assert chance_margin(100, 0.0) == pytest.approx(2 * auc_error(1, 99))
    assert chance_margin(100, 1.0) == pytest.approx(2 * auc_error(99, 1))
    with pytest.raises(OptionError, match="at least one positive"):
        auc_error(0, 5)
