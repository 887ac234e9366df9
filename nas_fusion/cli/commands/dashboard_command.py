"""``nasfusion dashboard``: a study in Optuna's dashboard."""

from __future__ import annotations

from nas_fusion.cli.command import Command
from nas_fusion.cli.common_options import SomeStudy
from nas_fusion.cli.console import output
from nas_fusion.cli.study_pages import Page, list_studies, serve
from nas_fusion.settings import RunSettings


def dashboard(some: SomeStudy, where: RunSettings, page: Page) -> None:
    """Show a study in Optuna's dashboard, also while it runs.

    Every cell (strategy and seed) is a trial there, with its validation AUC by epoch, its test figures, its design and
    the drawing of it; the comparison's own figures stand on the study's page. Ctrl-C ends it.
    """
    with output() as console:
        if some.study is None:
            list_studies(console, "dashboard")
            return
        from nas_fusion.studies import StudyFolder, check_storage
        from nas_fusion.studies import dashboard as shown_study

        if where.storage is not None:
            check_storage(where.storage, is_there=True)
        with shown_study(StudyFolder(some.study), page.port, where.storage) as address:
            serve(console, f"Optuna's dashboard of {some.study}", address, page)


DASHBOARD = Command(
    dashboard,
    "nasfusion dashboard nasfusion-studies/clicks --open",
    without=("RunSettings.engine", "RunSettings.nni_config", "RunSettings.processes", "RunSettings.threads"),
)
