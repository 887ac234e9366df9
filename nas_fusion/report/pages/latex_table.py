"""The comparison as a LaTeX table, for a paper: booktabs' rules, siunitx' columns of numbers with uncertainties."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from nas_fusion.records import ComparisonInfo
from nas_fusion.report.escapes import is_latin, latex_text
from nas_fusion.report.number_words import count
from nas_fusion.report.numbers.decision import HAND_MADE, NOT_LEARNED, Row
from nas_fusion.report.numbers.report_model import ReportModel
from nas_fusion.report.numbers.sentences import reference_words
from nas_fusion.report.numbers.suite_model import SuiteModel
from nas_fusion.report.numbers.summaries import Spread

_PACKAGES = ("booktabs", "siunitx")
_SETUP = (
    "separate-uncertainty=true, retain-zero-uncertainty=true, retain-explicit-plus=true, "
    "table-align-uncertainty=false, text-series-to-math=true, reset-text-series=false"
)
"""How siunitx writes ``0.9832(4)``: 0.9832 ± 0.0004, zeros and signs as they are, bold where the text is."""
_MARKS = {HAND_MADE: r"$^\dagger$", NOT_LEARNED: r"$^\ddagger$"}
_TEXT, _NUMBERS = "r", "S"
_HEADS = {
    "Strategy": "l", "Validation AUC": _NUMBERS, "Test AUC": _NUMBERS, "IQM [95\\,\\%]": _TEXT, "Logloss": _NUMBERS,
    "Difference": _NUMBERS, "Verdict": "l", "Parameters": _TEXT, "Multiply-adds": _TEXT, "Seeds": _TEXT,
}  # fmt: skip
"""The columns of a comparison, and what stands in each."""
_BOLD = r"\bfseries "
_NUMBER = re.compile(r"([+-]?)(\d+)\.\d+(?:\((\d+)\))?")


def latex_table(model: ReportModel, *, label: str = "tab:comparison") -> str:
    """A ``table`` of the strategies, best validation AUC first; needs ``\\usepackage{booktabs, siunitx}`` (version 3).

    The highest mean test AUC is bold, which says nothing about differences; the verdicts against the reference do.

    Args:
        model: the report.
        label: of the table.
    """
    top = model.highest_test_auc
    body = [_row(row, row.summary.test_auc.mean == top, model.info) for row in model.rows]
    nothing = [_none(kind) for kind in _HEADS.values()][1:-1]
    body += [[latex_text(line.strategy), *nothing, _seeds(0, model.info)] for line in model.absent]
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
        rank = _none(_NUMBERS) if row.rank is None else f"{row.rank:.2f}"
        body.append([latex_text(row.strategy), *cells, rank, row.call])
    data = dict.fromkeys(map(latex_text, found.data), _NUMBERS)
    heads = {"Strategy": "l", **data, "Rank": _NUMBERS, "Verdict": "l"}
    return _table(heads, body, _suite_caption(found), label)


def _none(kind: str) -> str:
    """What stands where there is nothing; braces keep siunitx from reading it."""
    return "{--}" if kind == _NUMBERS else "--"


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
    difference = _none(_NUMBERS) if row.against is None else _number(row.against.difference, "+")
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


def _number(value: float, sign: str = "") -> str:
    """A number for siunitx; one that is not finite in braces, as text."""
    return f"{value:{sign}.4f}" if math.isfinite(value) else f"{{{value}}}"


def _spread(spread: Spread) -> str:
    """``0.9832(4)``: the deviation counts in units of the last digit."""
    if spread.sd is None or not math.isfinite(spread.sd) or not math.isfinite(spread.mean):
        return _number(spread.mean)
    return f"{_number(spread.mean)}({round(spread.sd * 10**4)})"


def _bold(spread: Spread, best: bool) -> str:
    return f"{_BOLD if best else ''}{_spread(spread)}"


def _column(kind: str, cells: Sequence[str]) -> str:
    """The column's type; one of numbers has room for the longest of each part: sign, digits, uncertainty."""
    found = [m.groups(default="") for m in map(_NUMBER.search, cells) if m and kind == _NUMBERS]
    if not found:
        return "c" if kind == _NUMBERS else kind
    signs, digits, uncertainties = zip(*found, strict=True)
    decimals = 2 if all(len(cell.partition(".")[2]) == 2 for cell in cells if "." in cell) else 4
    uncertainty = max(map(len, uncertainties))
    size = f"{'+' * any(signs)}{max(map(len, digits))}.{decimals}{f'({uncertainty})' if uncertainty else ''}"
    return f"S[table-format={size}]"


def _table(
    heads: Mapping[str, str], body: Sequence[Sequence[str]], caption: str, label: str, below: Sequence[str] = ()
) -> str:
    lines = [" & ".join(cells) + r" \\" for cells in body]
    columns = zip(*body, strict=True) if body else [()] * len(heads)
    kinds = [_column(kind, cells) for kind, cells in zip(heads.values(), columns, strict=True)]
    titles = [f"{{{head}}}" if kind.startswith("S") else head for head, kind in zip(heads, kinds, strict=True)]
    text = "\n".join(
        [
            f"% needs \\usepackage{{{', '.join(_PACKAGES)}}} (siunitx 3)",
            r"\begin{table}",
            r"\centering",
            rf"\sisetup{{{_SETUP}}}",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{{' '.join(kinds)}}}",
            r"\toprule",
            " & ".join(titles) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip{{\footnotesize {line}\par}}" for line in below),
            r"\end{table}",
            "",
        ]
    )
    return text if is_latin(text) else f"% letters of other scripts: compile with LuaLaTeX or XeLaTeX\n{text}"
