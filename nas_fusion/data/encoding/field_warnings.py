"""What is wrong with fitted fields, in words; told while a log is encoded, and whenever it is described."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas_fusion.data.schema import UNKNOWN_ID, Field, FieldKind, Schema
from nas_fusion.errors import plain, shown
from nas_fusion.field_shapes import PAD

UNKNOWN_SHARE = 0.5
"""More unknown values than known ones are warned of."""


def constant_warning(field: Field, *, is_constant: bool) -> str:
    """What to say of a field all of whose training rows hold the same; empty if they do not."""
    return f"field {shown(field.name)} has only one value in the training rows; it cannot help" if is_constant else ""


def unknown_warning(field: Field, share: float, distinct: int) -> str:
    """What to say of a field by what is out of its vocabulary; empty if that is little.

    Args:
        field: which one.
        share: of the validation rows that hold nothing known, 0 to 1.
        distinct: different values in the training rows.
    """
    if share <= UNKNOWN_SHARE:
        return ""
    column = plain(field.column)
    return (
        f"field {shown(field.name)}: {share:.0%} of the validation rows hold values that are out of the vocabulary "
        f"({distinct:,} different values train); --kind {column}=number, --hash {column}=2^20, --min-count 1 or "
        f"--drop {column} may do better"
    )


class UnknownCells:
    """Counts the rows of every field that hold nothing known; of a list, all items count.

    Args:
        schema: of the encoded rows.
    """

    def __init__(self, schema: Schema) -> None:
        # Id 1 of a scaled field stands for a number that is there.
        self._has_unknown = np.array([field.kind is not FieldKind.SCALED for field in schema.fields])
        widths = [shape.columns for shape in schema.field_shapes]
        self.first_columns = np.cumsum([0, *widths[:-1]])
        self._lists = {
            field: slice(int(first), int(first) + width)
            for field, (first, width) in enumerate(zip(self.first_columns, widths, strict=True))
            if width > 1
        }

    def count(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """How many of some rows, int32 ``[rows, id columns]``, hold nothing known, int64 ``[fields]``."""
        found = np.asarray((ids[:, self.first_columns] == UNKNOWN_ID).sum(axis=0) * self._has_unknown)
        for field, columns in self._lists.items():
            found[field] = ((ids[:, columns] == UNKNOWN_ID) | (ids[:, columns] == PAD)).all(axis=1).sum()
        return found
