"""What the columns of a log are, where nobody says it: judged by types, by cells, and by what they tell of the label.

`plan_columns` is the whole of it; a sample of training rows is all that it reads.
"""

from nas_fusion.data.encoding.guessing.kind_guesses import plan_columns

__all__ = ["plan_columns"]
