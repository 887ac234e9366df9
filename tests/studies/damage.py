"""Every file of a study damaged in nine ways, and what becomes of it.

``python -m tests.studies.damage`` does it all, for a finished study, a half-finished one, a tuning and a comparison on
several logs, and prints how often a file was made anew, how often a clear line named it, and how often neither; it
takes half an hour. ``python -m tests.studies.damage finished/report tuning/tune`` does less.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from nas_fusion.data import DataOptions, EncodedDataset, prepare
from nas_fusion.errors import NasFusionError
from nas_fusion.nni_bridge.recorder import check_experiment, experiment_id
from nas_fusion.records import CellRecord
from nas_fusion.report import ReportModel
from nas_fusion.studies import (
    ComparisonSettings,
    LimitSettings,
    ModelSettings,
    Part,
    RecipeSettings,
    StudyFolder,
    TuningResult,
    compare,
    compare_suite,
    dashboard,
    find_announced,
    open_storage,
    rewrite_reports,
    rewrite_suite,
    tune,
    work_on,
)
from nas_fusion.studies.setup import study_limits as limits

SETTINGS = ComparisonSettings(
    source="synthetic:600",
    data=DataOptions(),
    strategies=("optfusion-hard", "stacked", "optfusion-soft"),
    seeds=(0,),
    budget="1x",
    model=ModelSettings(levels=1, emb_dim=2),
    recipe=RecipeSettings(learning_rate=0.01, retrain_epochs=1),
    limits=LimitSettings(latency_ms=1000.0),
    importance=False,
    device="cpu",
)
TUNED = replace(SETTINGS, strategies=("stacked",), tune=2, limits=LimitSettings())

MADE_ANEW, CLEAR_LINE, NO_MATTER = "made anew", "clear line", "no matter"
OUTCOMES = (MADE_ANEW, CLEAR_LINE, NO_MATTER)
"""The third: what is damaged is not needed for it, and stays as it is; what came out is that of the undamaged study."""


class SilentlyWrong(AssertionError):
    """Nobody said a word, and the numbers are others."""


# Ways to damage a file ---------------------------------------------------------------------------------------------


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    numbers = random.Random(zlib.crc32(path.name.encode()))
    for _ in range(8 if content else 0):
        content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    path.write_bytes(content)


def _replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("else")


def _replaced_by_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nothing" / "there")


WAYS: Mapping[str, Callable[[Path], Any]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "deleted": lambda path: path.unlink(),
    "flipped": _flipped,
    "folder": _replaced_by_a_folder,
    "wrong type": lambda path: path.write_text("seeds = 'many'\n" if path.suffix == ".toml" else "[1, 2]\n"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "link": _replaced_by_a_link,
    "appended": lambda path: path.write_bytes(path.read_bytes() + b"\n}]garbage \x00\xff"),
}


# Studies -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Undamaged:
    """A study as it should be.

    Args:
        root: holds the study in the folder ``study``.
        dataset: its log.
        records: its cells, as a finished one has them.
        tuned: what a tuning found.
    """

    root: Path
    dataset: EncodedDataset
    records: tuple[CellRecord, ...] = ()
    tuned: TuningResult | None = None

    @property
    def files(self) -> list[str]:
        """All of them, by their path in the study."""
        folder = self.root / "study"
        return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


class _Interrupted(BaseException):
    pass


def _interrupt(_record: CellRecord, done: int, _total: int) -> None:
    if done == 2:
        raise _Interrupted


@contextmanager
def constant_latency() -> Iterator[None]:
    """Latencies that no machine decides on."""
    before = limits.LATENCY_CLOCK
    limits.LATENCY_CLOCK = lambda *_arguments: 1.0
    try:
        yield
    finally:
        limits.LATENCY_CLOCK = before


def make_studies(folder: Path) -> dict[str, Undamaged]:
    """A finished study, a half-finished one, a tuning and a comparison on several logs, by name."""
    dataset = prepare(SETTINGS.source, cache=folder / "cache")
    with constant_latency():
        finished = compare(SETTINGS, dataset, folder / "finished" / "study")
        with suppress(_Interrupted):
            compare(SETTINGS, dataset, folder / "half-finished" / "study", listener=_interrupt)
        tuned = tune(TUNED, dataset, folder / "tuning" / "study")
        settings = replace(SETTINGS, strategies=("stacked",), limits=LimitSettings())
        suite = compare_suite([Part("log", settings, dataset)], folder / "suite" / "study")
    return {
        "finished": Undamaged(folder / "finished", dataset, finished.records),
        "half-finished": Undamaged(folder / "half-finished", dataset, finished.records),
        "tuning": Undamaged(folder / "tuning", dataset, tuned=tuned),
        "suite": Undamaged(folder / "suite", dataset, suite.reports[0].records),
    }


# What is done with a damaged one -------------------------------------------------------------------------------------


def _report(study: Undamaged, place: Path) -> None:
    _check_report(study, rewrite_reports(StudyFolder(place)))


def _compare(study: Undamaged, place: Path) -> None:
    result = compare(SETTINGS, study.dataset, place)
    _check_report(study, result.report)
    assert not result.failures, result.failures
    assert len(result.records) == len(SETTINGS.strategies)


def _dashboard(study: Undamaged, place: Path) -> None:
    with dashboard(StudyFolder(place)):
        pass


def _ui(study: Undamaged, place: Path) -> None:
    folder = StudyFolder(place)
    folder.check_exists()
    known = experiment_id(folder.nni)
    if known is not None:
        check_experiment(folder.nni, known)


def _worker(study: Undamaged, place: Path) -> None:
    folder = StudyFolder(place)
    storage = open_storage(folder.storage_url)
    work_on(find_announced(storage, folder.name), storage, study.dataset, place)


def _tune(study: Undamaged, place: Path) -> None:
    found = tune(TUNED, study.dataset, place)
    assert study.tuned is not None
    if (found.values, found.valid_auc) != (study.tuned.values, study.tuned.valid_auc):
        raise SilentlyWrong(f"{found.values} with {found.valid_auc}")


def _suite_report(study: Undamaged, place: Path) -> None:
    _check_report(study, rewrite_suite(place).reports[0])


ACTIONS: Mapping[str, Mapping[str, Callable[[Undamaged, Path], None]]] = {
    "finished": {"report": _report, "compare": _compare, "dashboard": _dashboard, "ui": _ui, "worker": _worker},
    "half-finished": {"report": _report, "compare": _compare, "dashboard": _dashboard, "ui": _ui, "worker": _worker},
    "tuning": {"tune": _tune, "dashboard": _dashboard},
    "suite": {"report": _suite_report},
}


def _numbers(record: CellRecord) -> tuple[Any, ...]:
    trace = tuple((p.samples, p.valid_auc, p.test_auc) for p in record.trace)
    return (record.strategy, record.seed, record.design, record.valid_auc, record.test_auc, record.test_logloss, trace)


def _check_report(study: Undamaged, report: ReportModel) -> None:
    """The same numbers, and no row less that is not named."""
    expected = {(r.strategy, r.seed): _numbers(r) for r in study.records}
    for record in report.records:
        if _numbers(record) != expected.pop((record.strategy, record.seed)):
            raise SilentlyWrong(f"other numbers of {record.strategy}, seed {record.seed}")
    named = {(f.strategy, f.seed) for f in report.info.failures}
    silent = set(expected) - named
    if silent and report.info.ended:
        raise SilentlyWrong(f"no word of {silent}")


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def outcome(study: Undamaged, place: Path, file: str, act: Callable[[Undamaged, Path], None]) -> str:
    """Do something with a damaged study.

    Args:
        study: the undamaged one.
        place: the damaged one.
        file: what is damaged.
        act: what is done.

    Returns:
        One of `OUTCOMES`.

    Raises:
        SilentlyWrong: other numbers than those of the undamaged study.
        Exception: whatever nas-fusion did not expect, or an error that does not name what is damaged.
    """
    before = _state(place / file)
    heard = _Lines()
    logger = logging.getLogger("nas_fusion")
    logger.addHandler(heard)
    try:
        with constant_latency():
            act(study, place)
    except NasFusionError as error:
        message = str(error)
        names = [Path(file).name, str(place)]
        assert any(name in message for name in names), f"does not name {file}: {message}"
        assert "\n" not in message, message
        return CLEAR_LINE
    finally:
        logger.removeHandler(heard)
    if any(Path(file).name in line for line in heard.lines) and before == _state(place / file):
        return CLEAR_LINE
    return NO_MATTER if before == _state(place / file) else MADE_ANEW


def _state(path: Path) -> bytes | str:
    if path.is_symlink():
        return "link"
    if path.is_dir():
        return "folder"
    return path.read_bytes() if path.exists() else "nothing"


def damaged(study: Undamaged, file: str, way: str, folder: Path) -> Path:
    """A copy of a study with a damaged file."""
    place = folder / "study"
    shutil.copytree(study.root / "study", place)
    WAYS[way](place / file)
    return place


def all_cases(studies: Mapping[str, Undamaged]) -> Iterator[tuple[str, str, str, str]]:
    """Study, file, way, action."""
    for name, study in studies.items():
        for file in study.files:
            for way in WAYS:
                for action in ACTIONS[name]:
                    yield name, file, way, action


def run(studies: Mapping[str, Undamaged], cases: Iterable[tuple[str, str, str, str]]) -> Iterator[tuple[Any, ...]]:
    """Each case with its outcome, or with what went wrong."""
    for name, file, way, action in cases:
        with tempfile.TemporaryDirectory() as folder:
            place = damaged(studies[name], file, way, Path(folder))
            try:
                found = outcome(studies[name], place, file, ACTIONS[name][action])
            except Exception as error:  # noqa: BLE001 - the point is to find them all
                found = f"{'silently wrong' if isinstance(error, SilentlyWrong) else 'traceback'}: {error!r}"
        yield name, file, way, action, found


def main() -> None:
    """Do it all, and print a table of counts; the faults one by one."""
    logging.getLogger("nas_fusion").propagate = False
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        studies = make_studies(Path(folder))
        cases = [c for c in all_cases(studies) if not sys.argv[1:] or f"{c[0]}/{c[3]}" in sys.argv[1:]]
        for name, file, way, action, found in run(studies, cases):
            kind = found.partition(":")[0]
            counts.setdefault(f"{name}, {action}", Counter())[kind] += 1
            if kind not in OUTCOMES:
                sys.stdout.write(f"{name}/{file}, {way}, {action}: {found[:400]}\n")
    kinds = (*OUTCOMES, "traceback", "silently wrong")
    sys.stdout.write(f"{'':<28}{'cases':>8}" + "".join(f"{kind:>16}" for kind in kinds) + "\n")
    for name, found in counts.items():
        sys.stdout.write(f"{name:<28}{found.total():>8}" + "".join(f"{found[kind]:>16}" for kind in kinds) + "\n")


if __name__ == "__main__":
    main()
