"""Tables, figures, the HTML report and drawings of designs.

`report_model` makes a `ReportModel` from the records of a comparison, once. ``numbers`` computes what it holds,
``figures`` draws it, ``pages`` writes it; none of them asks one that comes after it.
"""

from nas_fusion.report.design_words import design_text
from nas_fusion.report.escapes import clean, html_text, terminal_text
from nas_fusion.report.figures.comparison_figures import FURTHER_FIGURES, FurtherFigure, comparison_figures
from nas_fusion.report.figures.design_dot import design_dot
from nas_fusion.report.figures.design_drawing import draw_design
from nas_fusion.report.figures.reliability_drawing import draw_reliability
from nas_fusion.report.number_words import duration
from nas_fusion.report.numbers.costs.search_fronts import handed_on_words, read_front
from nas_fusion.report.numbers.decision import Decision, Row, decide
from nas_fusion.report.numbers.report_model import ReportModel, report_model
from nas_fusion.report.numbers.sentences import decision_in_words, headline, left_out_words
from nas_fusion.report.numbers.summaries import AT_CHANCE, Margins, Spread, StrategySummary, summarise
from nas_fusion.report.pages.cell_page import cell_page
from nas_fusion.report.pages.chosen_page import ChosenPage, chosen_html, chosen_page
from nas_fusion.report.pages.csv_files import (
    CLOCK,
    COLUMNS,
    fronts_frame,
    results_frame,
    summary_frame,
    write_fronts_csv,
    write_results_csv,
    write_summary_csv,
)
from nas_fusion.report.pages.html_page import write_report, write_suite_report
from nas_fusion.report.pages.latex_table import latex_suite_table, latex_table
from nas_fusion.report.pages.markdown_page import write_markdown_report, write_suite_markdown
from nas_fusion.report.pages.notebook_views import comparison_view, table_view
from nas_fusion.report.pages.terminal_tables import comparison_caption, comparison_tables
from nas_fusion.report.tuned_words import spent_words, tuned_words

__all__ = [
    "AT_CHANCE",
    "CLOCK",
    "COLUMNS",
    "FURTHER_FIGURES",
    "ChosenPage",
    "Decision",
    "FurtherFigure",
    "Margins",
    "ReportModel",
    "Row",
    "Spread",
    "StrategySummary",
    "cell_page",
    "chosen_html",
    "chosen_page",
    "clean",
    "comparison_caption",
    "comparison_figures",
    "comparison_tables",
    "comparison_view",
    "decide",
    "decision_in_words",
    "design_dot",
    "design_text",
    "draw_design",
    "draw_reliability",
    "duration",
    "fronts_frame",
    "handed_on_words",
    "headline",
    "html_text",
    "latex_suite_table",
    "latex_table",
    "left_out_words",
    "read_front",
    "report_model",
    "results_frame",
    "spent_words",
    "summarise",
    "summary_frame",
    "table_view",
    "terminal_text",
    "tuned_words",
    "write_fronts_csv",
    "write_markdown_report",
    "write_report",
    "write_results_csv",
    "write_suite_markdown",
    "write_suite_report",
    "write_summary_csv",
]
