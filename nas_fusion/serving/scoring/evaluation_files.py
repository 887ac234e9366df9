"""An evaluation as a file: CSV, JSON or Markdown, by its name."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from nas_fusion.errors import OptionError
from nas_fusion.report.escapes import csv_text, markdown_text
from nas_fusion.serving.scoring.evaluation import Evaluation, SegmentQuality
from nas_fusion.system.files import write_text
from nas_fusion.system.places import check_file_place

ENDINGS = (".csv", ".json", ".md")
ALL = "all rows"


def check_evaluation_out(out: Path) -> None:
    """Refuse a file that an evaluation could not be written to.

    Raises:
        OptionError: its name ends in none of the formats, or it cannot lie there.
    """
    if out.suffix.lower() not in ENDINGS:
        raise OptionError("out", f"a file that ends in {', '.join(ENDINGS)}", str(out))
    check_file_place("out", out)


def write_evaluation(found: Evaluation, out: Path) -> None:
    """Write an evaluation whole or not at all.

    Raises:
        OptionError: as of `check_evaluation_out`.
        WriteError: the file cannot be written.
    """
    check_evaluation_out(out)
    make = {".csv": _csv, ".json": _json, ".md": _markdown}[out.suffix.lower()]
    write_text(out, make(found))


def measured(found: Evaluation) -> list[str]:
    """The names of what was measured; grouped AUC is left out where there are no groups."""
    return [
        name
        for name in found.overall.numbers()
        if name != "gauc" or any(segment.numbers()[name] is not None for segment in found.every)
    ]


def _json(found: Evaluation) -> str:
    rows = [
        {
            "by": one.column, "value": one.value, "rows": one.rows,
            **{name: one.numbers().get(name) for name in measured(found)}, "note": one.problem,
        }
        for one in found.every
    ]  # fmt: skip
    return json.dumps(rows, indent=1) + "\n"


def _csv(found: Evaluation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = measured(found)
    writer.writerow(["by", "value", "rows", *names, "note"])
    for one in found.every:
        numbers = one.numbers()
        cells = ["" if numbers.get(name) is None else repr(numbers[name]) for name in names]
        writer.writerow([csv_text(one.column), csv_text(one.value), one.rows, *cells, one.problem])
    return text.getvalue()


def _markdown(found: Evaluation) -> str:
    names = measured(found)
    lines = [f"| segment | rows | {' | '.join(names)} | |", "|---|--:|" + "--:|" * len(names) + "---|"]
    for one in found.every:
        numbers = [shown_number(one, name) for name in names]
        lines.append(f"| {markdown_text(called(one))} | {one.rows:,} | {' | '.join(numbers)} | {one.problem} |")
    return "\n".join(lines) + "\n"


def called(one: SegmentQuality) -> str:
    """A segment in words."""
    return f"{one.column} = {one.value}" if one.column else ALL


def shown_number(one: SegmentQuality, name: str) -> str:
    """What was measured, four digits behind the point; a dash where it could not be."""
    value = one.numbers().get(name)
    return "–" if value is None else f"{value:.4f}"
