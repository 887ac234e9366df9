"""The comparison as a LaTeX table (booktabs), for a paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_fusion.report._columns import Row, table_rows
from nas_fusion.report._format import count
from nas_fusion.report._frame import by_strategy
from nas_fusion.report._overall import overall
from nas_fusion.report._standing import Result, standings
from nas_fusion.report._summary import Spread, summarise

if TYPE_CHECKING:
    from nas_fusion.records import CellRecord, ComparisonInfo

TIE = r"$^\ast$"
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def latex_escape(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_SPECIAL.get(c, c) for c in text)


def best_and_ties(records: Sequence[CellRecord]) -> tuple[str | None, set[str]]:
    """The strategy with the highest mean test AUC, and those that cannot be told from it.

    Bold type in a table marks the best result, so here the test decides, and the comparisons are corrected for that.
    """
    finite = [s for s in summarise(records) if math.isfinite(s.test_auc.mean)]
    if not finite:
        return None, set()
    best = max(finite, key=lambda s: s.test_auc.mean).strategy
    found = standings(records, best, chosen_from=[s.strategy for s in finite])
    assert found is not None, "there are records"
    return best, {name for name, c in found.against.items() if c.verdict == "tie"}


def latex_table(records: Sequence[CellRecord], info: ComparisonInfo, *, label: str = "tab:comparison") -> str:
    """A ``table`` of the strategies, best validation AUC first; needs ``\\usepackage{booktabs}``.

    The highest mean test AUC is bold; an asterisk marks those that cannot be told from it (paired by seed, corrected).

    Args:
        records: the finished cells.
        info: what was compared.
        label: of the table.

    Raises:
        UnknownNameError: `info.reference` is none of the strategies.
        OptionError: a strategy has two records of one seed.
    """
    best, ties = best_and_ties(records)
    found = standings(records, info.reference)
    rows = table_rows(records, found)
    reference = found.reference if found else ""
    body = [_row(row, row.summary.strategy == best, row.summary.strategy in ties) for row in rows]
    caption = (
        f"{latex_escape(info.data_name)}: mean $\\pm$ standard deviation over {len(info.seeds)} seeds; interquartile "
        "mean (IQM) of the test AUC with its 95\\,\\% bootstrap interval; difference of the test AUC from "
        f"{latex_escape(reference)}. Bold: highest mean test AUC; {TIE}: not told apart from it (paired t-tests over "
        "seeds, Holm); $^\\dagger$: hand-made, nothing searched."
    )
    heads = [
        "Strategy", "Validation AUC", "Test AUC", "IQM [95\\,\\%]", "Logloss", "Difference", "Parameters",
        "Multiply-adds",
    ]  # fmt: skip
    return _table(heads, body, caption, label)


def latex_suite_table(results: Sequence[Result], *, label: str = "tab:comparison") -> str:
    """A ``table`` of the test AUC per data set, of the strategies that all have; best average rank first.

    Per data set the highest mean is bold, and an asterisk marks those that cannot be told from it.

    Raises:
        OptionError: a strategy has two records of one seed on a data set.
    """
    found = overall(results)
    marks = [best_and_ties([r for r in records if r.strategy in _names(results)]) for records, _ in results]
    body = []
    for row in found.rows:
        cells = [
            _marked(spread, row.strategy == best, row.strategy in ties)
            for spread, (best, ties) in zip(row.test_auc, marks, strict=True)
        ]
        rank = "--" if row.rank is None else f"{row.rank:.2f}"
        body.append([latex_escape(row.strategy), *cells, rank])
    caption = (
        "Test AUC, mean $\\pm$ standard deviation over the seeds, and average rank over the data sets. Bold: highest "
        f"mean; {TIE}: not told apart from it (paired t-tests over seeds, Holm)."
    )
    return _table(["Strategy", *map(latex_escape, found.data), "Rank"], body, caption, label)


def _names(results: Sequence[Result]) -> set[str]:
    groups = [set(by_strategy(records)) for records, _ in results]
    return set.intersection(*groups) if groups else set()


def _row(row: Row, best: bool, tie: bool) -> list[str]:
    s = row.summary
    span = "" if row.iqm_interval is None else f" [{row.iqm_interval.low:.4f}, {row.iqm_interval.high:.4f}]"
    difference = "--" if row.against is None else f"${row.against.difference:+.4f}$"
    adds = s.cost.get("multiply_adds")
    return [
        latex_escape(s.strategy) + (r"$^\dagger$" if s.is_reference else ""),
        _spread(s.valid_auc),
        _marked(s.test_auc, best, tie),
        f"{row.iqm:.4f}{span}",
        _spread(s.test_logloss),
        difference,
        count(s.parameters.mean).replace(" ", r"\,"),
        "--" if adds is None else count(adds.mean).replace(" ", r"\,"),
    ]


def _spread(spread: Spread) -> str:
    if spread.sd is None or math.isnan(spread.sd):
        return f"{spread.mean:.4f}"
    return f"{spread.mean:.4f} $\\pm$ {f'{spread.sd:.4f}'.removeprefix('0')}"


def _marked(spread: Spread, best: bool, tie: bool) -> str:
    text = _spread(spread)
    if best:
        text = text.replace(f"{spread.mean:.4f}", rf"\textbf{{{spread.mean:.4f}}}", 1)
    return text + (TIE if tie else "")


def _table(heads: Sequence[str], body: Sequence[Sequence[str]], caption: str, label: str) -> str:
    lines = [" & ".join(cells) + r" \\" for cells in body]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )
