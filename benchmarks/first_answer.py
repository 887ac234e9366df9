"""``python -m benchmarks.first_answer LOGS``: what a first comparison says, beside what one would pick instead.

Every log of a folder is compared as somebody would who knows its label and nothing else: ``nasfusion compare --data LOG
--label LABEL --split-column split``, all else left to the defaults. The best network by validation then stands beside
logistic regression, LightGBM and CatBoost, on the test rows. Studies are kept, so a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GENERAL = ("logistic-regression", "lightgbm", "catboost")
"""What one would pick instead."""

KNOWN = {
    "adult.parquet": ("--label", "label", "--split-column", "split"),
    "bank_marketing.parquet": ("--label", "label", "--split-column", "split"),
    "frappe.parquet": ("--label", "label", "--split-column", "split"),
    "ml100k.parquet": ("--label", "label", "--split-column", "split"),
    "criteo_10k.txt": (),
    "avazu_8k.csv": (),
    "kdd12_40k.txt": (),
}
"""The logs and what has to be said of them; a log of another name is compared with nothing said."""

NOISE = 0.003
"""Nowhere may the best network's test AUC lie further below the best of the others."""


@dataclass(frozen=True)
class Line:
    """A log's line: the best network by validation, and the mean test AUC of each of the others."""

    log: str
    best: str
    valid: float
    test: float
    others: dict[str, float]

    @property
    def lead(self) -> float:
        """How far the network is ahead of the best of the others, in test AUC; 0 without any."""
        return self.test - max(self.others.values(), default=self.test)


def compared(log: Path, study: Path, options: list[str]) -> Line:
    """Compare a log, or go on with it, and read the results.

    Raises:
        subprocess.CalledProcessError: the comparison failed.
    """
    said = KNOWN.get(log.name, ())
    command = [sys.executable, "-W", "ignore", "-c", "from nas_fusion.cli import main; main()", "compare"]
    subprocess.run([*command, "--data", str(log), *said, "--study", str(study), *options], check=True)
    with (study / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def mean(strategy: str, column: str) -> float:
        return statistics.fmean(float(row[column]) for row in rows if row["strategy"] == strategy)

    names = dict.fromkeys(row["strategy"] for row in rows)
    best = max((name for name in names if name not in GENERAL), key=lambda name: mean(name, "valid_auc"))
    others = {name: mean(name, "test_auc") for name in GENERAL if name in names}
    return Line(log.stem, best, mean(best, "valid_auc"), mean(best, "test_auc"), others)


def table(lines: list[Line]) -> str:
    """The lines as Markdown."""
    head = ["log", "best by validation", "valid AUC", "test AUC", *GENERAL, "ahead by"]
    rows = [
        [line.log, line.best, f"{line.valid:.4f}", f"{line.test:.4f}"]
        + [f"{line.others[name]:.4f}" if name in line.others else "–" for name in GENERAL]
        + [f"{line.lead:+.4f}"]
        for line in lines
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def main() -> None:
    """Compare every log, print the table, and say whether the aims are reached."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_answer",
        description=__doc__.splitlines()[0],
        epilog="Other options are those of nasfusion compare: --seeds 3, --strategies models",
    )
    parser.add_argument("logs", type=Path, help="folder of logs")
    parser.add_argument("--only", nargs="*", metavar="LOG", help="some of them, without extension")
    parser.add_argument(
        "--studies", type=Path, default=Path("benchmark-results/first-answer"), help="where studies lie"
    )
    arguments, options = parser.parse_known_args()
    if not arguments.logs.is_dir():
        parser.error(f"no folder {arguments.logs}")
    logs = sorted(p for p in arguments.logs.iterdir() if p.suffix in (".parquet", ".csv", ".txt", ".tsv"))
    chosen = [log for log in logs if not arguments.only or log.stem in arguments.only]
    lines = [compared(log, arguments.studies / log.stem, options) for log in chosen]
    ahead, far = sum(line.lead >= 0 for line in lines), [line.log for line in lines if line.lead < -NOISE]
    print(table(lines))
    print(f"\nahead on {ahead} of {len(lines)}; behind by more than {NOISE}: {', '.join(far) or 'nowhere'}")


if __name__ == "__main__":
    main()
