"""What a saved model says of logs of any length: scores in a file, and how good they are where there are labels."""

from nas_fusion.serving.scoring.evaluation import Evaluation, SegmentQuality, evaluate
from nas_fusion.serving.scoring.evaluation_files import (
    called,
    check_evaluation_out,
    measured,
    shown_number,
    write_evaluation,
)
from nas_fusion.serving.scoring.score_files import ROW, SCORE, check_out, open_for, score_file
from nas_fusion.serving.scoring.score_stream import ScoredRows, score_stream

__all__ = [
    "ROW",
    "SCORE",
    "Evaluation",
    "ScoredRows",
    "SegmentQuality",
    "called",
    "check_evaluation_out",
    "check_out",
    "evaluate",
    "measured",
    "open_for",
    "score_file",
    "score_stream",
    "shown_number",
    "write_evaluation",
]
