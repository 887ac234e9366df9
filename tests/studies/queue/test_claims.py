"""Claiming cells: one winner, dead processes noticed, results that travel through the storage."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from nas_fusion.design import FusionDesign
from nas_fusion.errors import OptionError, StudyError
from nas_fusion.records import CellRecord, TracePoint
from nas_fusion.studies import open_storage
from nas_fusion.studies.cells.failures import Failure
from nas_fusion.studies.queue.cell_book import MAX_DEATHS, Cell, CellBook
from nas_fusion.studies.setup.announcements import announce, find_announced
from nas_fusion.studies.storage.holds import at_work
from nas_fusion.studies.storage.leases import BEAT, Watch, declare_dead, held, storage_id, take
from nas_fusion.studies.storage.optuna_storage import open_study
from nas_fusion.studies.storage.patient_storage import OWNER
from nas_fusion.system.processes import this_process
from tests.command_process import PATIENCE_SECONDS, forks
from tests.studies.test_compare import SETTINGS

pytestmark = pytest.mark.slow

CELLS = [Cell("random", 0), Cell("darts", 0)]
ELSEWHERE: dict[str, Any] = {"machine": "another machine", "space": "another", "pid": 1, "started": 0, "token": "x"}
GONE: dict[str, Any] = {"pid": 2**22 + 1, "token": "x"}  # above Linux's largest process number


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def storage_url(tmp_path: Path, kind: str = "sqlite") -> str:
    return f"{kind}:///{tmp_path}/storage"


def book(
    tmp_path: Path, grace: float = 60.0, cells: list[Cell] = CELLS, kind: str = "sqlite", watch: Watch | None = None
) -> CellBook:
    storage = open_storage(storage_url(tmp_path, kind))
    found = CellBook(storage, "study", cells, tmp_path / "artifacts", watch or Watch(grace))
    found.enqueue_missing()
    return found


def record(cell: Cell, **changes: Any) -> CellRecord:
    values: dict[str, Any] = {
        "strategy": cell.strategy, "seed": cell.seed, "kind": "one-shot", "mode": "hard",
        "design": FusionDesign.build(1, [("embedding", "deep1"), ("deep1", "output")], "concat"),
        "search_valid_auc": 0.7, "valid_auc": 0.75, "valid_logloss": 0.5, "test_auc": 0.74, "test_logloss": 0.51,
        "search_seconds": 1.0, "retrain_seconds": 2.0, "search_samples": 10, "retrain_samples": 20, "parameters": 30,
        "candidates": 0, "retrain_history": (TracePoint(1.0, 10, 0.75),),
        "details": {"gates": [{f"connection {i}": i / 7 for i in range(500)} for _ in range(40)]},
    }  # fmt: skip
    return CellRecord(**values | changes)


def write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("design.svg", "design.json"):
        (folder / name).write_text("content")
    return folder


def take_what_is_free(url: str, ids: list[int], all_ready: Barrier, won: Connection) -> None:
    storage = open_storage(url)
    all_ready.wait()
    won.send([number for number in ids if take(storage, number)])


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_every_trial_has_one_winner(tmp_path: Path, kind: str) -> None:
    storage = open_storage(storage_url(tmp_path, kind))
    study = open_study(storage, "study")
    for number in range(20):
        study.enqueue_trial({"x": number})
    ids = [storage_id(storage, study, t.number) for t in study.get_trials()]
    context = forks()
    all_ready, (wins, won) = context.Barrier(3, timeout=PATIENCE_SECONDS), context.Pipe(duplex=False)
    url = storage_url(tmp_path, kind)
    racers = [context.Process(target=take_what_is_free, args=(url, ids, all_ready, won)) for _ in range(3)]
    for racer in racers:
        racer.start()
    assert sorted(number for _ in racers for number in wins.recv()) == sorted(ids)
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0


def test_cells_are_claimed_in_order_and_once(tmp_path: Path) -> None:
    found = book(tmp_path)
    claims = [found.claim(), found.claim(), found.claim()]
    assert [c.cell if c else None for c in claims] == [*CELLS, None]
    assert found.pending() == set(CELLS)


def test_a_cell_of_a_dead_process_of_this_machine_is_free_at_once(tmp_path: Path) -> None:
    found = book(tmp_path, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    found._storage.set_trial_system_attr(claim.trial_id, OWNER, this_process().to_dict() | GONE)
    assert found.claim() is None
    assert found.revive() == [claim.cell]
    assert found.revive() == [], "only once"
    again = found.claim()
    assert again is not None
    assert again.cell == claim.cell


def test_a_cell_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    found = book(tmp_path, grace=0.0, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    with found.holding(claim):
        for _ in range(3):
            assert found.revive() == []
            time.sleep(0.01)


def test_a_cell_that_this_process_gave_up_is_free_though_it_lives(tmp_path: Path) -> None:
    """In a notebook, say: the storage was away when the cell was to be given back."""
    found = book(tmp_path, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    with held(found._storage, claim.trial_id):
        assert found.revive() == []
    assert found.revive() == [claim.cell]


def test_a_cell_that_was_taken_and_never_held_is_free_when_the_command_is_over(tmp_path: Path) -> None:
    """In a notebook, say: the disk was full, so that the cell could neither be held nor given back."""
    found = book(tmp_path, cells=CELLS[:1])
    with at_work():
        claim = found.claim()
        assert claim is not None
        assert found.revive() == []
    assert found.revive() == [claim.cell]


def test_a_tuning_trial_that_was_begun_and_never_held_is_free_when_the_command_is_over(tmp_path: Path) -> None:
    found = book(tmp_path, cells=[])
    with at_work():
        found.study.ask()
        assert found._watch.dead(found.study) == []
    (trial,) = found._watch.dead(found.study)
    assert trial.state == TrialState.RUNNING


def test_another_machine_is_dead_when_its_heartbeat_stands_still(tmp_path: Path) -> None:
    clock = Clock()
    found = book(tmp_path, cells=CELLS[:1], watch=Watch(60.0, clock))
    claim = found.claim()
    assert claim is not None
    found._storage.set_trial_system_attr(claim.trial_id, OWNER, ELSEWHERE)
    for count in range(8):
        found._storage.set_trial_system_attr(claim.trial_id, BEAT, count)
        assert found.revive() == []
        clock.now += 10
    for _ in range(5):
        assert found.revive() == []
        clock.now += 10
    assert found.revive() == [claim.cell]


def test_where_nobody_looked_a_heartbeat_has_not_stood_still(tmp_path: Path) -> None:
    """The storage was away for ten minutes, or this machine slept: the other one has its turn to say that it lives."""
    clock = Clock()
    found = book(tmp_path, cells=CELLS[:1], watch=Watch(60.0, clock))
    claim = found.claim()
    assert claim is not None
    found._storage.set_trial_system_attr(claim.trial_id, OWNER, ELSEWHERE)
    assert found.revive() == []
    clock.now += 600
    assert found.revive() == []
    clock.now += 10
    found._storage.set_trial_system_attr(claim.trial_id, BEAT, 1)
    assert found.revive() == []
    for _ in range(3):
        clock.now += 20
        revived = found.revive()
    assert revived == [claim.cell]


@pytest.mark.parametrize(
    "change", [{"space": "a container of the same host name"}, {"space": ""}, {"started": 17.5}, {"pid": None}]
)
def test_what_is_not_seen_from_here_is_judged_by_its_heartbeat(tmp_path: Path, change: dict[str, Any]) -> None:
    clock = Clock()
    found = book(tmp_path, cells=CELLS[:1], watch=Watch(60.0, clock))
    claim = found.claim()
    assert claim is not None
    found._storage.set_trial_system_attr(claim.trial_id, OWNER, this_process().to_dict() | {"token": "x"} | change)
    for _ in range(3):
        assert found.revive() == []
        clock.now += 20
    assert found.revive() == [claim.cell]


def test_a_process_says_that_it_lives(tmp_path: Path) -> None:
    found = book(tmp_path, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    deadline = time.monotonic() + PATIENCE_SECONDS
    with held(found._storage, claim.trial_id, beat_seconds=0.01):
        while found.study.trials[0].system_attrs.get(BEAT, 0) < 2:
            assert time.monotonic() < deadline, "no heartbeat"
            time.sleep(0.01)
    assert found.study.trials[0].system_attrs[OWNER].items() > this_process().to_dict().items()


def test_the_result_of_a_process_that_was_taken_for_dead_does_not_count(tmp_path: Path) -> None:
    clock = Clock()
    found = book(tmp_path, cells=CELLS[:1], watch=Watch(60.0, clock))
    claim = found.claim()
    assert claim is not None
    found._storage.set_trial_system_attr(claim.trial_id, OWNER, ELSEWHERE)
    for _ in range(3):
        assert found.revive() == []
        clock.now += 20
    assert found.revive() == [claim.cell]
    assert not found.finish(claim, record(claim.cell), write(tmp_path / "cell"))
    assert found.done() == set()
    again = found.claim()
    assert again is not None
    assert found.finish(again, record(claim.cell), tmp_path / "cell")
    assert found.done() == {claim.cell}


def test_a_cell_that_kills_is_given_up(tmp_path: Path) -> None:
    found = book(tmp_path, cells=CELLS[:1])
    for _ in range(MAX_DEATHS + 1):
        claim = found.claim()
        assert claim is not None
        found._storage.set_trial_system_attr(claim.trial_id, OWNER, this_process().to_dict() | GONE)
        found.revive()
    assert found.claim() is None
    assert found.failures()[CELLS[0]].reason.startswith(f"{MAX_DEATHS + 1} processes died of it")
    assert found.revive_forgotten() == []
    found.enqueue_missing()
    assert found.claim() is not None, "the next start tries again"


def test_a_process_that_dies_while_it_claims_has_said_who_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = book(tmp_path, cells=CELLS[:1])

    def killed(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(found, "_claim_of", killed)
    monkeypatch.setattr("nas_fusion.studies.queue.cell_book.give_back", lambda *_: False)
    with pytest.raises(SystemExit):
        found.claim()
    (trial,) = found.study.trials
    assert trial.state == TrialState.RUNNING
    assert trial.system_attrs[OWNER] == this_process().to_dict()


def test_a_process_that_dies_when_it_has_said_half_of_what_it_claims_loses_no_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = book(tmp_path, cells=CELLS[:1])

    def killed(claimed: CellBook, trial_id: int) -> None:
        optuna.Trial(claimed.study, trial_id).suggest_categorical("strategy", [CELLS[0].strategy])
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(CellBook, "_claim_of", killed)
        patch.setattr("nas_fusion.studies.queue.cell_book.give_back", lambda *_: False)
        with pytest.raises(SystemExit):
            found.claim()
    trial_id = found.study.trials[0]._trial_id
    found._storage.set_trial_system_attr(trial_id, OWNER, this_process().to_dict() | GONE)
    assert found.revive() == [CELLS[0]]
    again = found.claim()
    assert again is not None
    assert again.cell == CELLS[0]


def test_two_coordinators_make_no_cell_twice(tmp_path: Path) -> None:
    first = book(tmp_path)
    for cell in CELLS:
        first._enqueue(cell)  # what a second one adds that started at the same moment
    claims = [first.claim(), first.claim()]
    assert [c.cell for c in claims if c] == CELLS
    assert first.claim() is None
    states = [t.state for t in first.study.trials]
    assert states.count(TrialState.RUNNING) == 2
    assert states.count(TrialState.FAIL) == 2


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_record_travels_through_the_storage(tmp_path: Path, kind: str) -> None:
    found = book(tmp_path, kind=kind)
    claim = found.claim()
    assert claim is not None
    expected = record(claim.cell)
    found.finish(claim, expected, write(tmp_path / "cell"), remote=True)
    elsewhere = CellBook(open_storage(storage_url(tmp_path, kind)), "study", CELLS, tmp_path / "other")
    assert elsewhere.remote_record(claim.cell) == expected
    assert elsewhere.remote_record(CELLS[1]) is None
    elsewhere.copy_artifacts(claim.cell, tmp_path / "cell")
    assert len(list((tmp_path / "other").iterdir())) == 2


def test_a_failed_cell_says_why(tmp_path: Path) -> None:
    found = book(tmp_path)
    claim = found.claim()
    assert claim is not None
    found.fail(claim, Failure("the loss is nan", "Traceback …"))
    assert found.failures() == {claim.cell: Failure("the loss is nan", "Traceback …")}
    found.enqueue_missing()
    assert found.failures() == {}, "it is tried again"


def test_a_cell_that_was_given_back_has_killed_nobody(tmp_path: Path) -> None:
    found = book(tmp_path, cells=CELLS[:1])
    for _ in range(MAX_DEATHS + 2):
        claim = found.claim()
        assert claim is not None
        found.release(claim)
    dies(found)
    assert found.revive() == CELLS[:1]


def dies(found: CellBook) -> None:
    """A process claims a cell and is killed."""
    claim = found.claim()
    assert claim is not None
    found._storage.set_trial_system_attr(claim.trial_id, OWNER, this_process().to_dict() | GONE)


def test_a_cell_that_was_given_back_by_halves_waits_again(tmp_path: Path) -> None:
    """The process died between saying that the cell is not its own any more and putting it into the queue."""
    found = book(tmp_path, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    assert declare_dead(found._storage, claim.trial_id)
    assert found.pending() == set()
    assert found.failures() == {}, "it has not failed"
    assert found.revive_forgotten() == CELLS[:1]
    assert found.revive_forgotten() == [], "only once"
    assert found.claim() is not None


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "interrupted"])
def test_a_cell_whose_result_is_gone_stays_in_the_queue_when_its_process_ends(tmp_path: Path, killed: bool) -> None:
    found = book(tmp_path, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    found.finish(claim, record(claim.cell), write(tmp_path / "cell"))
    found.repeat(claim.cell)
    if killed:
        dies(found)
        found.revive()
    else:
        second = found.claim()
        assert second is not None
        found.release(second)
    again = found.claim()
    assert again is not None
    assert again.cell == claim.cell


def test_what_goes_from_running_to_waiting_is_never_out_of_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process gives its cell back while another looks whether anything waits or runs."""
    found = book(tmp_path, cells=CELLS[:1])
    claim = found.claim()
    assert claim is not None
    look, looks = found.study.get_trials, list[int]()

    def look_and_then_it_is_given_back(**options: Any) -> list[FrozenTrial]:
        seen = look(**options)
        looks.append(len(seen))
        if len(looks) == 1:
            found.release(claim)
        return seen

    monkeypatch.setattr(found.study, "get_trials", look_and_then_it_is_given_back)
    assert found.pending() == set(CELLS[:1])


@pytest.mark.parametrize(
    "url",
    ["nonsense", "journal:///", "journal:///no/such/folder/file", "sqlite:////no/such/folder/file", "what://ever/db"],
)
def test_a_bad_storage_is_named(url: str) -> None:
    with pytest.raises(OptionError, match=r"(?s)storage.*" + url.split(":", maxsplit=1)[0]):
        open_storage(url)


def test_a_storage_out_of_reach_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("NASFUSION_STORAGE_SECONDS", "0")
    with pytest.raises(StudyError, match=r"me:\*\*\*@127\.0\.0\.1.*cannot be reached") as caught:
        open_storage("postgresql://me:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)


def test_a_worker_finds_settings_and_data_in_the_storage(tmp_path: Path) -> None:
    storage = open_storage(storage_url(tmp_path))
    announce(open_study(storage, "mine"), SETTINGS, "fingerprint")
    found = find_announced(storage, "mine")
    assert (found.settings, found.fingerprint, found.purpose) == (SETTINGS, "fingerprint", "comparison")
    with pytest.raises(StudyError, match="no study 'other'; there are: mine"):
        find_announced(storage, "other")
    with pytest.raises(StudyError, match=r"sqlite:///.* has no study 'other'; there are none: the command that made"):
        find_announced(open_storage(f"sqlite:///{tmp_path}/new.db"), "other")
    with pytest.raises(StudyError, match=r"other settings.*the log's content"):
        announce(open_study(storage, "mine"), SETTINGS, "another")
    optuna.create_study(study_name="foreign", storage=storage)
    with pytest.raises(StudyError, match="'foreign' in the storage was not made by nas-fusion"):
        find_announced(storage, "foreign")
