"""Tables, figures, the HTML report and drawings of designs."""

from nas_fusion.report._comparison_figures import comparison_figures
from nas_fusion.report._drawing import draw_design
from nas_fusion.report._frame import CLOCK, COLUMNS, results_frame, write_results_csv
from nas_fusion.report._html import write_report, write_suite_report
from nas_fusion.report._latex import latex_suite_table, latex_table
from nas_fusion.report._markdown import write_markdown_report, write_suite_markdown
from nas_fusion.report._strategies import summary_frame, write_summary_csv
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
    "latex_suite_table",
    "latex_table",
    "results_frame",
    "summarise",
    "summary_frame",
    "verdict",
    "write_markdown_report",
    "write_report",
    "write_results_csv",
    "write_suite_markdown",
    "write_suite_report",
    "write_summary_csv",
]
