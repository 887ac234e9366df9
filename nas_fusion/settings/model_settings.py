"""`ModelSettings`: the search space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nas_fusion import bounds
from nas_fusion.design import KNOWN_OPERATIONS, OPERATIONS
from nas_fusion.settings.option import Panel, check_fields, flag, number, text, word

ProductRule = Literal["zero", "open"]
"""What a product does with a closed input: become zero (published), or leave it out."""

BUILT_IN_EMB_DIM = 4
"""Embedding width for the built-in log."""

DEFAULT_EMB_DIM = 10
"""Embedding width of the BARS benchmark's frappe recipe."""


@dataclass(frozen=True)
class ModelSettings:
    """The search space.

    Args:
        space: registered name; looked up where the space is made.
        levels: number of levels; the published space has three.
        emb_dim: width of a field's embedding; 0 chooses `BUILT_IN_EMB_DIM` for the built-in log, which is to be quick
            on a laptop, and `DEFAULT_EMB_DIM` for others.
        block_width: width of the blocks (`nas_fusion.nn.Fields`) as a text; ``"auto"`` leaves it to the log
            (`nas_fusion.studies.setup.study_space`).
        operations: of the fused blocks, by name with commas between them, looked up where the space is made;
            ``"auto"``: the space's own, or those that a strategy's entry names (`nas_fusion.strategy.StrategyEntry`).
        product: what a product does with a closed input while searching.
        batch_norm: batch norm in the deep blocks.
        dropout: in the deep blocks.

    Raises:
        OptionError: a value is out of its range (`nas_fusion.bounds`).
    """

    space: str = text(
        "dcn", "Search space: dcn, dcnv2, dcnv2-low-rank, wide, or a plugin's.", panel=Panel.MODEL, metavar="SPACE"
    )
    levels: int = number(3, bounds.LEVELS, "Levels of the space.", panel=Panel.MODEL)
    emb_dim: int = number(
        0,
        bounds.EMB_DIM,
        "Width of a field's embedding.",
        panel=Panel.MODEL,
        zero=f"{DEFAULT_EMB_DIM}, or {BUILT_IN_EMB_DIM} for the built-in log",
    )
    block_width: str = text(
        bounds.AUTOMATIC,
        f"Width of the blocks, {bounds.BLOCK_WIDTH.ends}, to which one linear map brings all embeddings together: 0 "
        "for none, as published; auto: 0, or so few that the training rows can tell the weights of a supernet from "
        "each other.",
        panel=Panel.MODEL,
        metavar="W",
        form=bounds.BLOCK_WIDTH_FORM,
        allows=bounds.is_block_width,
    )
    operations: str = text(
        bounds.AUTOMATIC,
        f"Operations that blocks may merge by, with commas between them: some of {', '.join(KNOWN_OPERATIONS)}; auto: "
        f"{', '.join(OPERATIONS)}, as published, or what a strategy's own entry says.",
        panel=Panel.MODEL,
        metavar="NAMES",
        form=bounds.OPERATIONS_FORM,
        allows=bounds.is_operation_list,
    )
    product: ProductRule = word(
        "zero",
        bounds.PRODUCT_RULES,
        "A product with a closed input while searching: zero (published) or open.",
        panel=Panel.MODEL,
    )
    batch_norm: bool = flag(False, "Batch norm in the deep blocks.", panel=Panel.MODEL)
    dropout: float = number(0.0, bounds.DROPOUT, "Dropout in the deep blocks.", panel=Panel.MODEL)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def operation_names(self) -> tuple[str, ...] | None:
        """The operations; None where the space or the strategy says which."""
        if self.operations == bounds.AUTOMATIC:
            return None
        return tuple(name.strip() for name in self.operations.split(","))

    def with_operations(self, names: Sequence[str]) -> ModelSettings:
        """The same with these operations, where the settings leave them open."""
        return self if self.operation_names is not None else replace(self, operations=",".join(names))
