"""``nasfusion ui``: a study in NNI's web UI."""

from __future__ import annotations

from nas_fusion.cli.command import Command
from nas_fusion.cli.common_options import SomeStudy
from nas_fusion.cli.console import output
from nas_fusion.cli.study_pages import Page, list_studies, serve


def ui(some: SomeStudy, page: Page) -> None:
    """Show a study in NNI's web UI, also while it runs.

    Every search, candidate and re-training is a trial there: its validation AUC after every epoch is the curve, and
    every connection and operation is an axis of the hyper-parameter graph. Ctrl-C ends it; the study is not touched.
    """
    with output() as console:
        if some.study is None:
            list_studies(console, "ui")
            return
        from nas_fusion.nni_bridge import viewing_manager
        from nas_fusion.studies import StudyFolder

        folder = StudyFolder(some.study)
        folder.check_exists()
        with viewing_manager(folder.nni, page.port) as manager:
            serve(console, f"NNI's web UI of {some.study}", manager.address, page, manager.check)


UI = Command(ui, "nasfusion ui nasfusion-studies/clicks --port 8080")
