"""A laboratory: every design of a small space trained, so that searches can be judged by what there was to find."""

from nas_fusion.lab.design_table import DesignTable
from nas_fusion.lab.regret_curves import RegretCurve, regret_curve
from nas_fusion.lab.replay import Replayed, TableTrainings, replay
from nas_fusion.lab.stacked_network import StackedNetwork
from nas_fusion.lab.stacked_training import train_stack
from nas_fusion.lab.table_file import merge_tables
from nas_fusion.lab.table_making import make_table
from nas_fusion.lab.table_plan import TablePlan

__all__ = [
    "DesignTable",
    "RegretCurve",
    "Replayed",
    "StackedNetwork",
    "TablePlan",
    "TableTrainings",
    "make_table",
    "merge_tables",
    "regret_curve",
    "replay",
    "train_stack",
]
