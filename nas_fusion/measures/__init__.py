"""What a model costs and what its connections are worth: weights, multiply-adds, latency, importance; cost limits."""

from nas_fusion.bounds import LATENCY_BATCHES
from nas_fusion.measures.cost_table import CostTable, Mode, multiply_add_table, parameter_table
from nas_fusion.measures.counting import multiply_adds, parameters
from nas_fusion.measures.importance import IMPORTANCE_ROWS, connection_importance, without_connection
from nas_fusion.measures.latency import Stopwatch, latency_ms
from nas_fusion.measures.latency_table import LatencyTable, measure_latency_table, timing_designs
from nas_fusion.measures.limits import DEFAULT_COST_PENALTY, Limit, Limits
from nas_fusion.measures.model_cost import measure

__all__ = [
    "DEFAULT_COST_PENALTY",
    "IMPORTANCE_ROWS",
    "LATENCY_BATCHES",
    "CostTable",
    "LatencyTable",
    "Limit",
    "Limits",
    "Mode",
    "Stopwatch",
    "connection_importance",
    "latency_ms",
    "measure",
    "measure_latency_table",
    "multiply_add_table",
    "multiply_adds",
    "parameter_table",
    "parameters",
    "timing_designs",
    "without_connection",
]
