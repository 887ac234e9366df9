"""What the first reading of a log learns about every row: its label, its weight, its group, its split.

Each is an array with an element per row; what they are read from are columns, and no column becomes a field here.
"""

from nas_fusion.data.rows.label_words import LabelReader, Labels
from nas_fusion.data.rows.row_groups import GroupCounter
from nas_fusion.data.rows.row_weights import read_weights
from nas_fusion.data.rows.split_draws import FEWEST_EXPECTED, by_chance, by_group, by_time, stratified
from nas_fusion.data.rows.split_words import SplitWords

__all__ = [
    "FEWEST_EXPECTED",
    "GroupCounter",
    "LabelReader",
    "Labels",
    "SplitWords",
    "by_chance",
    "by_group",
    "by_time",
    "read_weights",
    "stratified",
]
