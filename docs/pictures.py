"""Draw the README's pictures from a finished study: ``python docs/pictures.py nasfusion-studies/synthetic``."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from nas_fusion.cli.console import PIPED_WIDTH
from nas_fusion.design import FusionDesign
from nas_fusion.records import CellRecord, ComparisonInfo
from nas_fusion.report import comparison_caption, comparison_tables, draw_design, report_model
from nas_fusion.studies import StudyFolder
from nas_fusion.system.files import write_text


def main(study: Path) -> None:
    """Write ``compare.svg`` and ``design.svg`` beside this file."""
    folder = StudyFolder(study)
    records = [CellRecord.from_json(path.read_text("utf-8")) for path in sorted(study.glob("cells/*/cell.json"))]
    info = ComparisonInfo.from_json(folder.comparison.read_text("utf-8"))
    console = Console(record=True, width=PIPED_WIDTH, file=io.StringIO())
    report = report_model(records, info)
    for table in comparison_tables(report, PIPED_WIDTH):
        console.print(table)
        console.print()
    console.print(comparison_caption(report), highlight=False, markup=False)
    here = Path(__file__).parent
    picture = console.export_svg(title="nasfusion compare --strategies all")
    write_text(here / "compare.svg", re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL))  # load nothing
    designs = [s.best for s in report.decision.summaries if isinstance(s.best.design, FusionDesign)]
    best = next((cell for cell in designs if cell.kind != "reference"), designs[0])
    write_text(here / "design.svg", draw_design(best.design, title=f"{best.strategy}, seed {best.seed}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
