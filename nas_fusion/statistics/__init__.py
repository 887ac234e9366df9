"""What a comparison's numbers can tell: intervals, paired tests, ranks and verdicts; numpy and scipy alone."""

from nas_fusion.statistics.above_chance import CHANCE, auc_error, chance_margin
from nas_fusion.statistics.across_data_sets import compare_over_data_sets
from nas_fusion.statistics.auc_differences import auc_standard_error, difference_error, loss_margin, paired_error
from nas_fusion.statistics.average_ranks import average_ranks, cliques, critical_difference, friedman
from nas_fusion.statistics.intervals import Interval, bootstrap_interval, interquartile_mean
from nas_fusion.statistics.paired_comparison import SMALLEST_DIFFERENCE, PairedComparison
from nas_fusion.statistics.paired_rows import Sample, auc_samples, rows_error
from nas_fusion.statistics.paired_tests import holm, pairs_needed
from nas_fusion.statistics.strategy_comparison import compare_each, compare_with_reference

__all__ = [
    "CHANCE",
    "SMALLEST_DIFFERENCE",
    "Interval",
    "PairedComparison",
    "Sample",
    "auc_error",
    "auc_samples",
    "auc_standard_error",
    "average_ranks",
    "bootstrap_interval",
    "chance_margin",
    "cliques",
    "compare_each",
    "compare_over_data_sets",
    "compare_with_reference",
    "critical_difference",
    "difference_error",
    "friedman",
    "holm",
    "interquartile_mean",
    "loss_margin",
    "paired_error",
    "pairs_needed",
    "rows_error",
]
