"""``nasfusion worker``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from nas_fusion import bounds
from nas_fusion.cli.command import Command
from nas_fusion.cli.console import EXIT_INCOMPLETE, for_progress, output, print_plain, print_tried, print_tuning
from nas_fusion.cli.log_reading import DEFAULT_STUDIES
from nas_fusion.errors import OptionError
from nas_fusion.settings import Panel
from nas_fusion.settings.option import REQUIRED, path, text

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from nas_fusion.records import FailedCell
    from nas_fusion.studies import Announced


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker helps with, and where."""

    storage: str = text(
        REQUIRED, "Optuna's storage that the coordinator uses, too.", panel=Panel.RUN, metavar="URL", first=True
    )
    study: str = text(
        REQUIRED, "The study's name: that of the coordinator's study folder.", panel=Panel.RUN, metavar="NAME",
        first=True,
    )  # fmt: skip
    data: str | None = text(
        None, "The same log, where this machine has it.", panel=Panel.DATA, metavar="LOG", first=True,
        shown="the same path",
    )  # fmt: skip
    folder: Path | None = path(
        None, "Where its cells and weights go.", panel=Panel.WRITTEN, first=True,
        shown=f"{DEFAULT_STUDIES}/<study>",
    )  # fmt: skip
    device: str | None = text(
        None, "auto, cpu, cuda or cuda:N.", panel=Panel.RUN, metavar="DEVICE", form=bounds.DEVICE_FORM,
        allows=bounds.is_device, shown="what the coordinator says",
    )  # fmt: skip


def worker(asked: WorkerOptions) -> None:
    """Help with a comparison or a tuning that `compare` or `tune` coordinates with the same `--storage`.

    Cells and tuning trials are claimed one by one, by any number of workers on any machines; one whose worker dies is
    done by another. Of a comparison on several logs, --study names all of them or one (clicks/monday). Ends when there
    is nothing left to do.
    """
    with output() as console:
        from nas_fusion.studies import check_worker, find_all_announced, open_storage

        check_worker(asked.storage, asked.folder, asked.device)
        storage = open_storage(asked.storage)
        studies = find_all_announced(storage, asked.study)
        if asked.data and len(studies) > 1:
            names = ", ".join(study.name for study in studies)
            raise OptionError("data", f"left out, or --study one of {names}: each is on a log of its own", asked.data)
        failures = [failed for study in studies for failed in _help(console, storage, study, asked)]
        console.print("nothing is left to do")
        if failures:
            console.print(f"{len(failures)} without a result:", highlight=False)
            for failed in failures:
                print_plain(console, f"  {failed.words}")
            raise SystemExit(EXIT_INCOMPLETE)


def _help(console: Console, storage: BaseStorage, study: Announced, asked: WorkerOptions) -> tuple[FailedCell, ...]:
    from nas_fusion.data import prepare
    from nas_fusion.studies import check_study, work_on

    if asked.device:
        study = replace(study, settings=replace(study.settings, device=asked.device))
    part = study.name.removeprefix(asked.study).removeprefix("/")
    folder = asked.folder / part if asked.folder else DEFAULT_STUDIES / study.name
    check_study(study.settings, folder)
    dataset = prepare(asked.data or study.settings.source, study.settings.data)
    print_plain(console, f"working on {study.name}; cells go to {folder}")
    return work_on(
        study, storage, dataset, folder,
        console=for_progress(console),
        cell_listener=lambda words: print_plain(console, words),
        tuning_listener=partial(print_tuning, console),
        sweep_listener=partial(print_tried, console),
    )  # fmt: skip


WORKER = Command(worker, "nasfusion worker --storage postgresql://user@host/nasfusion --study clicks")
