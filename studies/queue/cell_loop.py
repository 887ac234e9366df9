"""Computing cells, together with other processes, until there is none left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from nas_fusion.errors import StudyError
from nas_fusion.records import CellRecord
from nas_fusion.studies.cells.cell import run_cell
from nas_fusion.studies.cells.dashboard_figures import chance_figure
from nas_fusion.studies.cells.failures import Failure, clear_up, stops_the_run
from nas_fusion.studies.queue.cell_book import Cell, CellBook, Claim
from nas_fusion.studies.queue.tuning_loop import Tuned
from nas_fusion.studies.queue.workplace import POLL_SECONDS, Workplace
from nas_fusion.studies.storage.holds import at_work
from nas_fusion.system.deadline import check_deadline
from nas_fusion.system.told import tell


@at_work()
def run_cells(
    place: Workplace,
    book: CellBook,
    tuned: Mapping[str, Tuned],
    on_step: Callable[[str | None], None],
    *,
    remote: bool = False,
    before_claim: Callable[[], None] = lambda: None,
) -> None:
    """Compute cells until none waits or runs, those of other processes included.

    A cell that fails is told to the book, and the next one is computed.

    Args:
        place: where this process works.
        book: the cells.
        tuned: strategy → what its tuning found; empty without a tuning.
        on_step: called with a line about each cell of this process, and with None while others are waited for; the
            last call comes after the last cell has ended, whoever computed it.
        remote: results go through the storage, too, since the coordinator may not see the folder.
        before_claim: called before this process looks for a cell: what does not fit any more can leave the queue.

    Raises:
        StudyError: this process has lost its device.
        TimeIsUp: the deadline has come.
        WriteError, StorageError: the disk is full, or the storage is away.
    """
    while True:
        check_deadline()
        book.revive()
        before_claim()
        claim = book.claim()
        if claim is not None:
            on_step(_run_claimed(place, book, claim, tuned, remote))
            continue
        # Looked at before the step: what ends between the two is still told of by the step.
        over = not book.pending()
        on_step(None)
        if not over:
            time.sleep(POLL_SECONDS)
        elif not book.revive_forgotten():
            return


def _run_claimed(place: Workplace, book: CellBook, claim: Claim, tuned: Mapping[str, Tuned], remote: bool) -> str:
    cell = claim.cell
    name = f"{cell.strategy}, seed {cell.seed}"
    tell(f"{name} begins")
    try:
        with book.holding(claim):
            # A cell that was written but not yet marked as done when the process was killed is not run again.
            record = place.written.load(cell.strategy, cell.seed) or _compute(place, cell, tuned.get(cell.strategy))
            told = chance_figure(place.assembly.dataset, record.valid_auc, record.test_auc)
            folder = place.folder.cell(cell.strategy, cell.seed)
            counts = book.finish(claim, record, folder, told, remote=remote)
    except BaseException as error:
        if stops_the_run(error):
            book.release(claim)
            raise
        failure = Failure.of(error)
    else:
        return f"{name}: valid {record.valid_auc:.4f}" + ("" if counts else ", too late: another process has it")
    return f"{name}: {clear_up(place.folder, name, cell.name, failure, lambda: book.fail(claim, failure))}"


def _compute(place: Workplace, cell: Cell, tuned: Tuned | None) -> CellRecord:
    if isinstance(tuned, str):
        raise StudyError(tuned)
    return run_cell(place.assembly, place.folder, cell.strategy, cell.seed, tuned, place.surroundings)
