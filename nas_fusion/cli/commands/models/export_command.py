"""``nasfusion export``: a model for services without nas-fusion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas_fusion import bounds
from nas_fusion.cli.command import Command
from nas_fusion.cli.console import output, print_plain
from nas_fusion.settings import Panel, check_fields
from nas_fusion.settings.option import REQUIRED, path, word


@dataclass(frozen=True)
class ExportOptions:
    """What `export` is about."""

    model: Path = path(
        REQUIRED, "A saved model: its folder, a zip of that, or a study, which stands for its best model.",
        panel=Panel.MODEL, placed=True, first=True,
    )  # fmt: skip
    out: Path = path(
        REQUIRED, "The folder to write; an exported model there is replaced.", panel=Panel.WRITTEN, first=True
    )
    format: str = word("onnx", bounds.EXPORT_FORMATS, "What to write.", panel=Panel.WRITTEN, first=True)

    def __post_init__(self) -> None:
        check_fields(self)


def export(asked: ExportOptions) -> None:
    """Write a model for services without nas-fusion: the network, how rows become its inputs, and an example.

    It is compared with the model itself first, in batches of several sizes. If a probability differs by more than
    0.00001, nothing is written. Needs the extra `export` for ONNX.
    """
    with output() as console:
        from nas_fusion.serving import load
        from nas_fusion.serving.export import export_model

        exported = export_model(load(asked.model), asked.format, asked.out)
        found = exported.compared
        print_plain(console, f"written: {exported.file}")
        print_plain(
            console,
            f"compared with the model itself on {found.rows} made-up rows, in batches of "
            f"{', '.join(map(str, found.batch_sizes))}: probabilities differ by at most {found.worst:.1e}",
        )
        print_plain(console, f"how to score with it: {exported.folder / 'README.md'}")


EXPORT = Command(export, "nasfusion export runs/study/best --format onnx --out exported", goes_on=False)
