"""What is wrong with fitted fields, in words; told while a log is encoded, and whenever it is described."""

from __future__ import annotations

from nas_fusion.data.schema import Field
from nas_fusion.errors import plain, shown

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
