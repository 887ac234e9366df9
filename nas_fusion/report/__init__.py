"""Tables, figures, the HTML report and drawings of designs."""

from nas_fusion.report._comparison_figures import comparison_figures
from nas_fusion.report._decision import Decision, decide
from nas_fusion.report._drawing import draw_design
from nas_fusion.report._frame import CLOCK, COLUMNS, results_frame, write_results_csv
from nas_fusion.report._headline import decision_in_words, headline
from nas_fusion.report._html import write_report, write_suite_report
from nas_fusion.report._latex import latex_suite_table, latex_table
from nas_fusion.report._learning import AT_CHANCE, Margins
from nas_fusion.report._markdown import write_markdown_report, write_suite_markdown
from nas_fusion.report._model import ReportModel, Row, report_model
from nas_fusion.report._strategies import summary_frame, write_summary_csv
from nas_fusion.report._summary import Spread, StrategySummary, summarise
from nas_fusion.report._table import comparison_caption, comparison_tables
from nas_fusion.report._text import clean, terminal_text
from nas_fusion.report._words import design_text

__all__ = [
    "AT_CHANCE",
    "CLOCK",
    "COLUMNS",
    "Decision",
    "Margins",
    "ReportModel",
    "Row",
    "Spread",
    "StrategySummary",
    "clean",
    "comparison_caption",
    "comparison_figures",
    "comparison_tables",
    "decide",
    "decision_in_words",
    "design_text",
    "draw_design",
    "headline",
    "latex_suite_table",
    "latex_table",
    "report_model",
    "results_frame",
    "summarise",
    "summary_frame",
    "terminal_text",
    "write_markdown_report",
    "write_report",
    "write_results_csv",
    "write_suite_markdown",
    "write_suite_report",
    "write_summary_csv",
]
