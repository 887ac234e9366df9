"""`FusionSpace`: every way to fuse the blocks of a CTR model, as an NNI model space."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from nas_fusion.design import (
    EMBEDDING,
    OPERATIONS,
    OUTPUT,
    FusionDesign,
    block_names,
    candidate_sources,
    fused_blocks,
)
from nas_fusion.errors import DesignError, OptionError
from nas_fusion.field_shapes import FieldLike, plain_shapes
from nas_fusion.measures import Limits
from nas_fusion.nn import (
    CrossBlock,
    DeepBlock,
    FieldEmbedding,
    Fields,
    FusionNetwork,
    HardFusion,
    NoInput,
    SoftFusion,
)
from nas_fusion.nn.blocks import for_no_input
from nas_fusion.nn.operations import OPERATION_TYPES, FusionOperation, Product
from nas_fusion.nni_bridge import (
    DARTS,
    ModelSpace,
    MutableDict,
    RandomOneShot,
    SampleValidationError,
    Strategy,
    current_model,
)
from nas_fusion.search_spaces.fusion.design_set import DesignSet
from nas_fusion.search_spaces.fusion.fusion_node import FusionNode, SupernetNode
from nas_fusion.search_spaces.fusion.oneshot_nodes import DifferentiableNode, SampledNode
from nas_fusion.search_spaces.fusion.variant_block import (
    DifferentiableBlock,
    SampledBlock,
    SupernetBlock,
    VariantBlock,
)
from nas_fusion.settings import DEFAULT_EMB_DIM, ModelSettings, ProductRule

if TYPE_CHECKING:
    from nas_fusion.data import Schema

DEFAULT_LEVELS = ModelSettings.levels
"""Levels of the published space."""


class LegalChoices(MutableDict):
    """The simplified space: the choices by label, refusing samples whose design is not legal or above a limit.

    NNI's multi-trial strategies draw again when a sample is refused, so they never submit such a design.

    Args:
        mutables: the choices by label.
        designs: the set to which designs have to belong; without one they have to be legal.
    """

    def __init__(self, mutables: Mapping[str, Any], designs: DesignSet | None = None) -> None:
        super().__init__(mutables)
        self.designs = designs

    def draw(self, random_state: np.random.RandomState | None) -> dict[str, Any] | None:
        """A random sample where limits may leave too few for drawing again and again; None without limits."""
        if self.designs is None or self.designs.limits is None:
            return None
        # A seed out of the strategy's own generator: its draws stay its own, and come again with its seed.
        return self.designs.sample(random_state.randint(2**31) if random_state is not None else 0).to_sample()

    def check_contains(self, sample: Mapping[str, Any]) -> SampleValidationError | None:
        """Return what is wrong with `sample`, or None."""
        error = super().check_contains(sample)
        if error is not None:
            return error
        design = FusionDesign.from_sample({label: sample[label] for label in self.keys()})
        problem = design.problem() if self.designs is None else self.designs.problem(design)
        return SampleValidationError(problem) if problem else None


class FusionSpace(ModelSpace):
    """All fusion designs over the blocks of one CTR model.

    One binary choice per candidate connection and one choice of operation per fused block (see `nas_fusion.design`).
    As an NNI `ModelSpace` it can be simplified, frozen, sampled, serialised, and turned into a supernet by any of
    NNI's one-shot strategies that have a form here (`extra_oneshot_hooks`) or bring their own (OptFusion).

    To change the blocks, override `make_shallow` or `make_deep`; to change the operations, override
    `operation_types`::

        class DCNv2Space(FusionSpace):
            def make_shallow(self, width):
                return MatrixCrossBlock(width)

    To leave open what stands in the blocks' places, name `shallow_variants` and `deep_variants` and override
    `make_variant`; the choice is one more of every block.

    Args:
        field_sizes: of each field its number of ids, or where it is more than one id, its shape; as plain values
            (`nas_fusion.field_shapes.plain_shapes`) where the space is to be made anew in NNI's trials.
        levels: number of levels L ≥ 1.
        emb_dim: width of a field's embedding; every block has the width ``D = len(field_sizes) · emb_dim``.
        operations: names of the operations to choose from.
        product: what a product does with a closed input while searching (see `nas_fusion.nn.operations.Product`).
        batch_norm: batch norm in the deep blocks.
        dropout: dropout probability in the deep blocks.
        block_width: another width for the blocks, 0 for none (`nas_fusion.nn.Fields`).

    Raises:
        OptionError: an argument is out of its range.
    """

    operation_types: ClassVar[Mapping[str, type[FusionOperation]]] = OPERATION_TYPES

    shallow_variants: ClassVar[tuple[str, ...]] = ()
    deep_variants: ClassVar[tuple[str, ...]] = ()

    starts_from_handmade: ClassVar[bool] = False
    """Whether multi-trial searches begin with hand-made designs where nobody says so (``--start-from``)."""

    leaves_operations_open: ClassVar[bool] = True
    """Whether its ``__init__`` takes `operations`, and has the published ones where none are named."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Look at an ``__init__`` of the subclass's own before NNI puts a wrapper around it."""
        if "__init__" in vars(cls):
            parameters = inspect.signature(vars(cls)["__init__"]).parameters
            given = parameters.get("operations")
            passed_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
            cls.leaves_operations_open = passed_on if given is None else given.default == OPERATIONS
        super().__init_subclass__(**options)

    def __init__(
        self,
        field_sizes: Sequence[FieldLike],
        levels: int = DEFAULT_LEVELS,
        emb_dim: int = DEFAULT_EMB_DIM,
        operations: Sequence[str] = OPERATIONS,
        product: ProductRule = ModelSettings.product,
        batch_norm: bool = ModelSettings.batch_norm,
        dropout: float = ModelSettings.dropout,
        block_width: int = 0,
    ) -> None:
        super().__init__()
        self.designs = DesignSet(levels, operations, shallow=self.shallow_variants, deep=self.deep_variants)
        unknown = set(operations).difference(self.operation_types)
        if unknown:
            raise OptionError("operations", f"names out of {', '.join(self.operation_types)}", sorted(unknown)[0])
        self.levels, self.product = levels, product
        self.batch_norm, self.dropout, self.emb_dim = batch_norm, dropout, emb_dim
        embedding = FieldEmbedding(field_sizes, emb_dim, block_width)
        # Inside NNI's `model_context` a space is the model of one design, as in a trial's process.
        sample = current_model()
        self.design = None if sample is None else FusionDesign.from_sample(sample)
        if self.design is None:
            blocks = block_names(levels)[1:]
            self.network = self._build(embedding, blocks, self._full_node, self._full_block, candidate_sources)
        else:
            self.network = self._build_fixed(embedding, self.design)

    @classmethod
    def for_schema(cls, schema: Schema, **options: Any) -> FusionSpace:
        """The space for the fields of a `nas_fusion.data.Schema`; `options` as for the constructor."""
        return cls(field_sizes=plain_shapes(schema.field_shapes), **options)

    @property
    def fields(self) -> Fields:
        """The fields of the data, and the width of their embeddings."""
        return self.network.embedding.fields

    def make_shallow(self, width: int) -> nn.Module:
        """A new shallow block: called with the fused input and the embedding, both ``[batch, width]``."""
        return CrossBlock(width)

    def make_deep(self, width: int) -> nn.Module:
        """A new deep block, called in the same way."""
        return DeepBlock(width, batch_norm=self.batch_norm, dropout=self.dropout)

    def make_variant(self, name: str, width: int) -> nn.Module:
        """A new block of one of `shallow_variants` or `deep_variants`, called like the others.

        Raises:
            NotImplementedError: the space has no variants, or does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} makes no variant {name!r}")

    def make_block(self, block: str, width: int, variant: str | None = None) -> nn.Module:
        """A new module for a block's place: the variant, or where the space leaves no choice, its only one."""
        if variant is not None:
            return self.make_variant(variant, width)
        return self.make_deep(width) if block.startswith("deep") else self.make_shallow(width)

    def make_operation(self, name: str, inputs: int, width: int) -> FusionOperation:
        """A new fusion operation for a number of inputs."""
        kind = self.operation_types[name]
        # The product alone has a rule; any other operation is made from its sizes.
        return kind(inputs, width, self.product) if issubclass(kind, Product) else kind(inputs, width)

    def make_mixture(self, inputs: int, width: int, *, all_open: bool) -> nn.Module:
        """A new mixture of all operations, evenly weighted, as a soft model has it for a number of open inputs.

        Args:
            inputs: how many are open.
            width: of each.
            all_open: whether all candidate inputs are; if not, a product of the rule "zero" is zero and left out.
        """
        made = {name: self.make_operation(name, max(inputs, 1), width) for name in self.designs.operations}
        return SoftFusion.of(made, range(inputs), dict.fromkeys(made, 1 / len(made)), all_open=all_open)

    def forward(
        self, ids: Int[Tensor, "batch column"], values: Float[Tensor, "batch value"] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return the logits ``[batch]`` of the current form: dry run, supernet, or fixed design."""
        return self.network(ids, values)

    def limit(self, limits: Limits | None) -> None:
        """Let searches find only designs that keep limits; those above them can still be derived and trained.

        To be called before the space becomes a supernet or candidates.
        """
        # The nodes get them too: a strategy exports a design through its nodes, without the space at hand.
        self.designs = replace(self.designs, limits=limits)
        for node in self.network.nodes.values():
            if isinstance(node, FusionNode):
                node.limits = limits

    # The space as a set of designs -----------------------------------------------------------------------------

    def simplify(self, is_leaf: Callable[[Any], bool] | None = None) -> LegalChoices:
        """All choices by label; samples that are not legal, or above a limit, are refused."""
        return LegalChoices(super().simplify(is_leaf), self.designs)

    def check_contains(self, sample: Mapping[str, Any]) -> SampleValidationError | None:
        """Return what is wrong with a sample, or None."""
        return self.simplify().check_contains(sample)

    def random(
        self, memo: dict[str, Any] | None = None, random_state: np.random.RandomState | None = None
    ) -> FusionNetwork:
        """A random legal design with a copy of this space's weights; `memo` receives its sample."""
        rng = np.random.default_rng(random_state.randint(2**31) if random_state is not None else None)
        sample = self.designs.sample(rng).to_sample()
        if memo is not None:
            memo.update(sample)
        return self.freeze(sample)

    # Fixed forms -----------------------------------------------------------------------------------------------

    def freeze(self, sample: Mapping[str, Any], *, weights: bool = True) -> FusionNetwork:
        """The model of a sample.

        Args:
            sample: NNI's sample (`FusionDesign.to_sample`).
            weights: copy this space's weights; otherwise draw new ones.

        Raises:
            DesignError: the design is not legal or not of this space.
        """
        return self.derive(FusionDesign.from_sample(sample), weights=weights)

    def derive(
        self,
        design: FusionDesign,
        *,
        mode: Literal["hard", "soft"] = "hard",
        weights: bool = True,
        mixture: Mapping[str, Mapping[str, float]] | None = None,
    ) -> FusionNetwork:
        """The model of a design: what is closed, cannot reach the output or never gets a gradient is gone.

        Where a block has no open input, its operation's constant is left of the operation, and where that is zero, a
        constant of the block (`nas_fusion.nn.HasConstantForm`). New weights are drawn for all candidate inputs and kept
        for the open ones, as in the published code: the bound of a concat's is ``1 / √(candidates · D)``.

        Args:
            design: a legal design of this space.
            mode: ``"hard"``: one operation per block; ``"soft"``: the frozen mixture of all operations.
            weights: copy this space's weights (soft always does); otherwise draw new ones.
            mixture: for soft, ``softmax(β)`` by block and operation.

        Raises:
            DesignError: the design is not legal or not of this space.
        """
        # Limits say what a search may find. References are above them at times, and are built all the same.
        self.designs.unlimited.check(design)
        if mode == "soft":
            if mixture is None:
                raise OptionError("mixture", "given for a soft model", mixture)
            probabilities = mixture
            return self._copy_of(design, lambda node, kept: node.derive_soft(kept, probabilities.get(node.block, {})))
        if weights:
            operations = dict(design.operations)
            return self._copy_of(design, lambda node, kept: node.derive_hard(kept, operations.get(node.block)))
        return self._build_fixed(self.network.embedding.like_new(), design)

    def sketch(self, design: FusionDesign, mode: Literal["hard", "soft"] = "hard") -> FusionNetwork:
        """The model of a design on this space's own embedding, which is not copied, with new weights: for timing it.

        Args:
            design: a legal design of this space.
            mode: as of `derive`; soft with all operations weighted evenly.

        Raises:
            DesignError: the design is not legal or not of this space.
        """
        return self._build_fixed(self.network.embedding, design, mode)

    def _build_fixed(
        self, embedding: FieldEmbedding, design: FusionDesign, mode: Literal["hard", "soft"] = "hard"
    ) -> FusionNetwork:
        self.designs.unlimited.check(design)
        live = [block for block in design.live_blocks() if block != EMBEDDING]

        def node(block: str, width: int) -> nn.Module:
            candidates, sources = candidate_sources(block, self.levels), design.sources(block)
            kept = [candidates.index(source) for source in sources]
            if block == "cross0":
                return HardFusion.of(None, kept)
            if mode == "soft":
                return self.make_mixture(len(kept), width, all_open=sources == candidates)
            # For all candidates and then cut: new weights start in the published bounds (see `derive`).
            return HardFusion.of(self.make_operation(design.operation(block), len(candidates), width), kept)

        def block(name: str, width: int) -> nn.Module:
            return self.make_block(name, width, design.variant(name))

        return self._build(embedding, live, node, block, lambda name, _: design.sources(name))

    def _build(
        self,
        embedding: FieldEmbedding,
        blocks: Sequence[str],
        node: Callable[[str, int], nn.Module],
        make: Callable[[str, int], nn.Module],
        sources: Callable[[str, int], Sequence[str]],
    ) -> FusionNetwork:
        width = embedding.width
        # All nodes, then all blocks, then the head: random weights are drawn in this order in every form of a space.
        nodes = {block: node(block, width) for block in blocks}
        modules = {block: make(block, width) for block in blocks if block != OUTPUT}
        modules = {block: _as_fed(module, nodes[block]) for block, module in modules.items()}
        return FusionNetwork(
            embedding, nodes, {b: sources(b, self.levels) for b in blocks}, modules, nn.Linear(width, 1)
        )

    def _full_node(self, block: str, width: int) -> FusionNode:
        sources = candidate_sources(block, self.levels)
        names = self.designs.operations if block in fused_blocks(self.levels) else ()
        return FusionNode(block, sources, {name: self.make_operation(name, len(sources), width) for name in names})

    def _full_block(self, block: str, width: int) -> nn.Module:
        names = self.designs.variants_of(block)
        if not names:
            return self.make_block(block, width)
        return VariantBlock(block, {name: self.make_variant(name, width) for name in names})

    def _copy_of(self, design: FusionDesign, derive: Callable[[Any, list[int]], nn.Module]) -> FusionNetwork:
        live = [block for block in design.live_blocks() if block != EMBEDDING]
        nodes = {}
        for block in live:
            node = self.network.nodes[block]
            if not isinstance(node, FusionNode | SupernetNode):
                raise DesignError("this space was made for one design already; derive from the space itself")
            nodes[block] = derive(node, [node.sources.index(source) for source in design.sources(block)])
        network = FusionNetwork(
            copy.deepcopy(self.network.embedding),
            nodes,
            {block: design.sources(block) for block in live},
            {b: _as_fed(copy.deepcopy(self._standing(b, design)), nodes[b]) for b in live if b != OUTPUT},
            copy.deepcopy(self.network.head),
        )
        # As the space is: designs are ranked in evaluation mode.
        return network.train(self.training)

    def _standing(self, block: str, design: FusionDesign) -> nn.Module:
        """What stands in a block's place by a design, with the weights of this space."""
        place = self.network.blocks[block]
        return place.variants[str(design.variant(block))] if isinstance(place, VariantBlock | SupernetBlock) else place

    # Supernet forms --------------------------------------------------------------------------------------------

    def extra_oneshot_hooks(self, strategy: Strategy) -> list[Callable[..., Any]]:
        """NNI asks here for the supernet forms of this space's nodes under one of its own strategies."""
        if isinstance(strategy, DARTS):
            return [DifferentiableNode.mutate, DifferentiableBlock.mutate]
        if isinstance(strategy, RandomOneShot):
            return [SampledNode.mutate, SampledBlock.mutate]
        return []


def _as_fed(block: nn.Module, node: nn.Module) -> nn.Module:
    """A block in the form for what its node gives."""
    return for_no_input(block) if isinstance(node, NoInput) else block
