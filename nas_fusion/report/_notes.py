"""What a reader must know beside the numbers: the reference, and what is missing or odd about single rows."""

from __future__ import annotations

from nas_fusion.provenance import cells_in_words, differences
from nas_fusion.report._headline import failure_lines
from nas_fusion.report._model import HAND_MADE, NOT_LEARNED, ReportModel
from nas_fusion.report._standing import Standings


def reference_note(model: ReportModel) -> list[str]:
    """With what, and how, the strategies are compared; nothing where there is no reference."""
    found, missing = model.decision.standings, model.decision.missing_reference
    if found is None:
        return []
    instead = f" in place of {missing}, which was named and has no finished cell" if missing else ""
    return [
        f"Reference: {found.reference} ({found.why}{instead}); test AUC, paired by seed; intervals of the difference "
        f"are for one comparison alone, p is corrected by Holm {found.correction}. Seeds needed: about so many would "
        "show a difference of this size."
    ]


def reference_words(found: Standings) -> str:
    """The reference, and why that one."""
    return f"{found.reference} ({found.why})"


def notes(model: ReportModel) -> list[str]:
    """About single rows: marks, failed and unfinished cells, what computed them, shared searches; whole sentences."""
    missing = [*_fewer_seeds(model), *_failures(model), *_unstarted(model)]
    return [*_marks(model), *missing, *provenance_lines(model), *_shared(model)]


def _marks(model: ReportModel) -> list[str]:
    lines = []
    if any(row.summary.is_reference for row in model.rows):
        lines.append(f"{HAND_MADE} hand-made, nothing searched.")
    if any(row.not_learned for row in model.rows):
        seeds = "; ".join(
            f"{row.summary.strategy} seed{'s' * (len(row.not_learned) > 1)} {', '.join(map(str, row.not_learned))}"
            for row in model.rows
            if row.not_learned
        )
        lines.append(
            f"{NOT_LEARNED} did not learn: the AUC lies within the noise of .5 on validation and on test rows, where "
            f"other models learn ({seeds}). These seeds count in every mean and verdict."
        )
    return lines


def _fewer_seeds(model: ReportModel) -> list[str]:
    """Whose numbers are over fewer seeds than were asked for."""
    asked = len(model.info.seeds)
    short = []
    for row in model.rows:
        done, failed = len(row.summary.seeds), len(row.failed)
        why = [f"{failed} failed"] * bool(failed) + [f"{asked - done - failed} not finished"] * (done + failed < asked)
        if done < asked:
            short.append(f"{row.summary.strategy} {done} of {asked} ({', '.join(why)})")
    return [f"Numbers over fewer seeds: {', '.join(short)}."] if short else []


def _failures(model: ReportModel) -> list[str]:
    lines = failure_lines(model.decision)
    if model.absent:
        names = ", ".join(line.strategy for line in model.absent)
        lines.append(f"Without any number, since no cell of it has ended well: {names}.")
    return lines


def _unstarted(model: ReportModel) -> list[str]:
    names = model.decision.unstarted
    return [f"Not in the table, since no cell of it has ended yet: {', '.join(names)}."] if names else []


def provenance_lines(model: ReportModel) -> list[str]:
    """In what the cells' versions, devices, threads and precisions differ."""
    told = [r for r in model.records if r.provenance]
    found = differences(told)
    lines = []
    if found:
        words = "; ".join(map(str, found))
        lines.append(f"Not all cells were computed by the same, so their numbers are not quite comparable. {words}.")
    if told and len(told) < len(model.records):
        silent = cells_in_words([(r.strategy, r.seed) for r in model.records if not r.provenance])
        lines.append(f"Some cells do not say by what they were computed: {silent}.")
    return lines


def _shared(model: ReportModel) -> list[str]:
    summaries = [row.summary for row in model.rows]
    names = {s.strategy for s in summaries}
    return [
        f"{s.strategy} uses the search of {s.shares_search_with}: one cost, shown in both rows."
        for s in summaries
        if s.shares_search_with in names
    ]
