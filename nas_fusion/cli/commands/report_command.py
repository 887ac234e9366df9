"""``nasfusion report``."""

from __future__ import annotations

from nas_fusion.cli.command import Command
from nas_fusion.cli.common_options import SomeStudy
from nas_fusion.cli.comparison_output import exit_if_incomplete, print_result, print_suite
from nas_fusion.cli.console import output
from nas_fusion.cli.study_pages import list_studies
from nas_fusion.settings import OutputSettings
from nas_fusion.system.places import check_file_place

_MAKER = "command that made the study"


def report(some: SomeStudy, written: OutputSettings) -> None:
    """Write a study's reports again from its finished cells, also while it runs; nothing is trained.

    report.html, report.md, results.csv and summary.csv in the study folder are replaced; of a comparison on several
    logs, those of every log and the report over all of them.
    """
    with output() as console:
        if written.latex is not None:
            check_file_place("latex", written.latex)
        if some.study is None:
            list_studies(console, "report")
            return
        from nas_fusion.studies import Comparison, StudyFolder, is_suite, rewrite_reports, rewrite_suite

        if is_suite(some.study):
            suite = rewrite_suite(some.study, reference=written.reference, latex=written.latex)
            print_suite(console, suite)
            exit_if_incomplete(console, suite.comparisons, suite.failures, again=_MAKER)
        else:
            folder = StudyFolder(some.study)
            result = Comparison(rewrite_reports(folder, reference=written.reference, latex=written.latex), folder)
            print_result(console, result, written.latex)
            exit_if_incomplete(console, [result], again=_MAKER)


REPORT = Command(
    report,
    "nasfusion report nasfusion-studies/clicks --reference DCN --latex table.tex",
    without=("OutputSettings.study",),
)
