"""What a model costs: weights, multiply-adds, latency; and limits on it while searching."""

from nas_fusion.bounds import LATENCY_BATCHES
from nas_fusion.cost._count import multiply_adds, parameters
from nas_fusion.cost._latency import Stopwatch, latency_ms
from nas_fusion.cost._latency_table import LatencyTable, measure_latency_table, timing_designs
from nas_fusion.cost._limits import DEFAULT_COST_PENALTY, Limit, Limits
from nas_fusion.cost._measure import measure
from nas_fusion.cost._table import CostTable, Mode, multiply_add_table, parameter_table

__all__ = [
    "DEFAULT_COST_PENALTY",
    "LATENCY_BATCHES",
    "CostTable",
    "LatencyTable",
    "Limit",
    "Limits",
    "Mode",
    "Stopwatch",
    "latency_ms",
    "measure",
    "measure_latency_table",
    "multiply_add_table",
    "multiply_adds",
    "parameter_table",
    "parameters",
    "timing_designs",
]
