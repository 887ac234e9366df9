"""The comparison as a LaTeX table (booktabs), for a paper."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas_fusion.records import ComparisonInfo
from nas_fusion.report.escapes import latex_text
from nas_fusion.report.number_words import count
from nas_fusion.report.numbers.decision import HAND_MADE, NOT_LEARNED, Row
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.sentences import reference_words
from nas_fusion.report.numbers.suite_model import SuiteModel
from nas_fusion.report.numbers.summaries import Spread

_MARKS = {HAND_MADE: r"$^\dagger$", NOT_LEARNED: r"$^\ddagger$"}
_HEADS = (
    "Strategy", "Validation AUC", "Test AUC", "IQM [95\\,\\%]", "Logloss", "Difference", "Verdict", "Parameters",
    "Multiply-adds", "Seeds",
)  # fmt: skip


def latex_table(model: ReportModel, *, label: str = "tab:comparison") -> str:
    """A ``table`` of the strategies, best validation AUC first; needs ``\\usepackage{booktabs}``.

    The highest mean test AUC is bold, which says nothing about differences; the verdicts against the reference do.

    Args:
        model: the report.
        label: of the table.
    """
    top = model.highest_test_auc
    body = [_row(row, row.summary.test_auc.mean == top, model.info) for row in model.rows]
    body += [[latex_text(line.strategy), *["--"] * (len(_HEADS) - 2), _seeds(0, model.info)] for line in model.absent]
    return _table(_HEADS, body, _caption(model), label, list(map(latex_text, model.remarks)))


def latex_suite_table(models: Sequence[ReportModel], *, label: str = "tab:comparison") -> str:
    """A ``table`` of the test AUC per data set, of the strategies that all have; best average rank first.

    Per data set the highest mean is bold; the verdict is the one over all data sets.

    Raises:
        OptionError: a strategy has two records of one seed on a data set.
    """
    found = SuiteModel(tuple(models))
    body = []
    for row in found.rows:
        cells = [_bold(spread, spread.mean == top) for spread, top in zip(row.test_auc, found.highest, strict=True)]
        rank = "--" if row.rank is None else f"{row.rank:.2f}"
        body.append([latex_text(row.strategy), *cells, rank, row.call])
    return _table(["Strategy", *map(latex_text, found.data), "Rank", "Verdict"], body, _suite_caption(found), label)


def _suite_caption(found: SuiteModel) -> str:
    against = f" Verdict: against {latex_text(found.reference_words)}." if found.reference_words else ""
    return (
        "Test AUC, mean $\\pm$ standard deviation over the seeds, and average rank over the data sets. Bold: highest "
        f"mean.{against}"
    )


def _caption(model: ReportModel) -> str:
    info, standings = model.info, model.decision.standings
    parts = [
        f"{latex_text(info.data_name)}: mean $\\pm$ standard deviation over the seeds; interquartile mean (IQM) of the "
        "test AUC with its 95\\,\\% bootstrap interval.",
    ]
    if standings is not None:
        parts.append(
            f"Difference of the test AUC from {latex_text(reference_words(standings))}; verdicts by paired t-tests "
            f"over seeds, corrected by Holm {latex_text(standings.correction)}. Bold: highest mean test AUC."
        )
    if any(row.summary.is_reference for row in model.rows):
        parts.append(f"{_MARKS[HAND_MADE]}: nothing searched.")
    dead = [
        f"{len(r.not_learned)} of {len(r.summary.seeds)} of {r.summary.strategy}" for r in model.rows if r.not_learned
    ]
    if dead:
        parts.append(f"{_MARKS[NOT_LEARNED]}: seeds that did not learn, AUC about .5 ({latex_text(', '.join(dead))}).")
    return " ".join(parts)


def _row(row: Row, best: bool, info: ComparisonInfo) -> list[str]:
    s = row.summary
    span = "" if row.iqm_interval is None else f" [{row.iqm_interval.low:.4f}, {row.iqm_interval.high:.4f}]"
    difference = "--" if row.against is None else f"${row.against.difference:+.4f}$"
    adds = s.cost.get("multiply_adds")
    return [
        latex_text(s.strategy) + "".join(_MARKS[mark] for mark in row.marks),
        _spread(s.valid_auc),
        _bold(s.test_auc, best),
        f"{row.iqm:.4f}{span}",
        _spread(s.test_logloss),
        difference,
        row.call,
        count(s.parameters.mean).replace(" ", r"\,"),
        "--" if adds is None else count(adds.mean).replace(" ", r"\,"),
        _seeds(len(s.seeds), info),
    ]


def _seeds(number: int, info: ComparisonInfo) -> str:
    return f"{number}/{len(info.seeds)}"


def _spread(spread: Spread) -> str:
    if spread.sd is None or math.isnan(spread.sd):
        return f"{spread.mean:.4f}"
    return f"{spread.mean:.4f} $\\pm$ {f'{spread.sd:.4f}'.removeprefix('0')}"


def _bold(spread: Spread, best: bool) -> str:
    text, mean = _spread(spread), f"{spread.mean:.4f}"
    return text.replace(mean, rf"\textbf{{{mean}}}", 1) if best else text


def _table(
    heads: Sequence[str], body: Sequence[Sequence[str]], caption: str, label: str, below: Sequence[str] = ()
) -> str:
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
            *(rf"\par{{\footnotesize {line}\par}}" for line in below),
            r"\end{table}",
            "",
        ]
    )
