"""``python -m nas_fusion.training.ranks.rank_process``: one of several processes that train together."""

from __future__ import annotations

import os
import sys
import traceback

from nas_fusion.errors import LostRankError
from nas_fusion.system.interrupts import end_with_parent
from nas_fusion.training.ranks.rank_processes import joined_team, say_here, serve


def main() -> None:
    """Serve until the first process leaves; the process ends here, whatever threads of libraries still do."""
    end_with_parent()
    say_here()
    try:
        with joined_team() as team:
            serve(team)
    except LostRankError as error:
        # The first process says who is gone; of an own error only this one knows where it comes from.
        if error.__cause__ is not None and str(error).startswith(f"rank {os.environ['RANK']} "):
            traceback.print_exception(error.__cause__)
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
