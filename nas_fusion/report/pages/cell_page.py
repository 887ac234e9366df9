"""``report.md`` of a cell: what one strategy with one seed has found, and how good that is, on a page."""

from __future__ import annotations

from collections.abc import Mapping

from nas_fusion.records import CellRecord
from nas_fusion.report.design_words import design_text
from nas_fusion.report.escapes import markdown_code, markdown_item, markdown_text
from nas_fusion.report.number_words import MISSING, count, flat, milliseconds, plain, seconds
from nas_fusion.report.numbers.summaries import REFERENCE, family, told_metrics


def cell_page(record: CellRecord) -> str:
    """A cell as Markdown: quality, cost, design, and what computed it."""
    parts = [
        f"# {markdown_text(record.strategy)}, seed {record.seed}",
        f"{family(record).capitalize()}; {record.mode}.",
        f"## Quality\n\n{_list(_quality(record))}",
        f"## Cost\n\n{_list(_cost(record))}",
        f"## What was found\n\n{markdown_code(design_text(record.design))}",
    ]
    if record.provenance:
        parts.append(f"## What computed it\n\n{_list(flat(record.provenance))}")
    return "\n\n".join(parts) + "\n"


def _list(values: Mapping[str, object]) -> str:
    return "\n".join(f"- {markdown_item(str(n))}: {markdown_text(plain(v))}" for n, v in values.items())


def _quality(record: CellRecord) -> dict[str, str]:
    search = MISSING if record.search_valid_auc is None else f"{record.search_valid_auc:.4f}"
    known = {
        "test AUC": f"{record.test_auc:.4f}",
        "test logloss": f"{record.test_logloss:.4f}",
        "validation AUC": f"{record.valid_auc:.4f}",
        "validation logloss": f"{record.valid_logloss:.4f}",
        "validation AUC while searching": search,
    }
    return known | {f"test {name}": f"{value:.4f}" for name, value in told_metrics(record).items()}


def _cost(record: CellRecord) -> dict[str, str]:
    found = {
        "search and derive": f"{seconds(record.search_seconds + record.derive_seconds)} s",
        "samples while searching": count(record.search_samples + record.derive_samples),
        "candidates": f"{record.candidates}",
    }
    latency = {f"ms per batch of {n}": record.cost.get(f"latency_ms_{n}") for n in (1, 4096)}
    adds = record.cost.get("multiply_adds")
    return {
        "weights": count(record.parameters),
        **({} if adds is None else {"multiply-adds per row": count(adds)}),
        **{name: milliseconds(value) for name, value in latency.items() if value is not None},
        **({} if record.kind == REFERENCE else found),
        "re-train": f"{seconds(record.retrain_seconds)} s",
    }
