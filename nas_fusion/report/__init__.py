"""Tables, figures, the HTML report and drawings of designs."""

from nas_fusion.report._comparison_figures import comparison_figures
from nas_fusion.report._drawing import draw_design
from nas_fusion.report._frame import CLOCK, COLUMNS, results_frame, write_results_csv
from nas_fusion.report._html import write_report, write_suite_report
from nas_fusion.report._summary import Spread, StrategySummary, best_cell, summarise
from nas_fusion.report._table import comparison_caption, comparison_tables
from nas_fusion.report._verdict import Difference, Verdict, verdict
from nas_fusion.report._words import design_text

__all__ = [
    "CLOCK",
    "COLUMNS",
    "Difference",
    "Spread",
    "StrategySummary",
    "Verdict",
    "best_cell",
    "comparison_caption",
    "comparison_figures",
    "comparison_tables",
    "design_text",
    "draw_design",
    "results_frame",
    "summarise",
    "verdict",
    "write_report",
    "write_results_csv",
    "write_suite_report",
]
