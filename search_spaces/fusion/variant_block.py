"""A block's place where a space leaves open what stands there: the choice as an NNI mutable, and its supernet forms."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from nas_fusion.design import VARIANT_KEY
from nas_fusion.nn.blocks import Features
from nas_fusion.nni_bridge import (
    BaseSuperNetModule,
    LearnsArchitecture,
    MutableModule,
    ensure_frozen,
    label_scope,
    nni,
)
from nas_fusion.search_spaces.fusion.supernet_peers import SupernetPeers


class VariantBlock(MutableModule):
    """One block's place and all that may stand there; the choice has the label ``<block>/variant``.

    Args:
        block: name of the block.
        variants: by name, each called with the fused input and the embedding; the first is NNI's dry run's.
    """

    def __init__(self, block: str, variants: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.block, self.variants = block, nn.ModuleDict(variants)
        with label_scope(block):
            self.variant_choice = nni.choice(VARIANT_KEY, list(variants))
        for mutable in self.own_mutables():
            self.add_mutable(mutable)

    def own_mutables(self) -> list[Any]:
        """The one choice."""
        return [self.variant_choice]

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Compute the block, ``[batch, width]`` all, as NNI's dry run does: by the first variant."""
        return self.variants[ensure_frozen(self.variant_choice, strict=False)](fused, embedding)

    def freeze(self, sample: Mapping[str, Any]) -> nn.Module:
        """What stands here by a sample, with a copy of the weights."""
        self.validate(sample)
        return copy.deepcopy(self.variants[sample[self.variant_choice.label]])


class SupernetBlock(BaseSuperNetModule):
    """What a `VariantBlock` becomes in a supernet; each one-shot strategy has its own subclass.

    Args:
        block: the one to replace; its choice and its weights stay.
        memo: NNI's memo of the mutation, in which the parts of one supernet meet.
    """

    def __init__(self, block: VariantBlock, memo: dict[str, Any]) -> None:
        super().__init__()
        self.block, self.variants, self.variant_choice = block.block, block.variants, block.variant_choice
        for mutable in self.own_mutables():
            self.add_mutable(mutable)
        SupernetPeers.of(memo).blocks.append(self)

    own_mutables = VariantBlock.own_mutables
    freeze = VariantBlock.freeze

    def choose(self) -> dict[str, Any]:
        """The best variant, by label."""
        raise NotImplementedError

    def variant_scores(self) -> dict[str, float]:
        """How good each variant is, from 0 to 1: its probability, where the strategy has any."""
        if not isinstance(self, LearnsArchitecture):
            return {}
        return dict(self.export_probs({})[self.variant_choice.label])

    def resample(self, memo: dict[str, Any]) -> dict[str, Any]:
        """Nothing to sample."""
        return {}

    def export(self, memo: dict[str, Any]) -> dict[str, Any]:
        """The variant that the output's node has settled on, which is asked before the blocks are."""
        label = self.variant_choice.label
        return {label: memo[label]} if label in memo else self.choose()


class MixedBlock(SupernetBlock):
    """Base of blocks that compute all variants and weigh them; a subclass says by what weights."""

    def shares(self) -> torch.Tensor:
        """The weights of the variants, ``[variant]``, adding up to 1."""
        raise NotImplementedError

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Compute all variants, ``[batch, width]`` each, and weigh them."""
        mixed = torch.zeros_like(embedding)
        for share, variant in zip(self.shares().unbind(), self.variants.values(), strict=True):
            mixed = torch.addcmul(mixed, share, variant(fused, embedding))
        return mixed

    def choose(self) -> dict[str, Any]:
        """The variant with the largest probability."""
        scores = self.variant_scores()
        return {self.variant_choice.label: max(scores, key=lambda name: scores[name])}


class DifferentiableBlock(MixedBlock):
    """DARTS' relaxation (Liu et al., ICLR 2019) of what stands in a block's place, by the strategy's own logits."""

    def __init__(self, block: VariantBlock, memo: dict[str, Any], softmax: nn.Module) -> None:
        super().__init__(block, memo)
        self.softmax, self.logits = softmax, memo[self.variant_choice.label]

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's hook: replace a block that has variants."""
        return cls(module, memo, mutate_kwargs["softmax"]) if isinstance(module, VariantBlock) else None

    def arch_parameters(self) -> Iterator[nn.Parameter]:
        """The logits."""
        yield self.logits

    def shares(self) -> torch.Tensor:
        """By the strategy's softmax, ``[variant]``."""
        weights: torch.Tensor = self.softmax(self.logits)
        return weights

    def export_probs(self, memo: dict[str, Any]) -> dict[str, Any]:
        """Probabilities of the variants."""
        values = torch.softmax(self.logits.detach(), -1).tolist()
        return {self.variant_choice.label: dict(zip(self.variant_choice.values, values, strict=True))}


class SampledBlock(SupernetBlock):
    """One variant at a time, drawn by NNI before every step (Guo et al., ECCV 2020)."""

    def __init__(self, block: VariantBlock, memo: dict[str, Any]) -> None:
        super().__init__(block, memo)
        self.sample: dict[str, Any] = {m.label: m.default() for m in self.own_mutables()}

    @classmethod
    def mutate(cls, module: nn.Module, name: str, memo: dict[str, Any], mutate_kwargs: dict[str, Any]) -> Any:
        """NNI's hook: replace a block that has variants."""
        return cls(module, memo) if isinstance(module, VariantBlock) else None

    def resample(self, memo: dict[str, Any]) -> dict[str, Any]:
        """Draw a variant (torch's generator decides, so that the run's seed does)."""
        label, values = self.variant_choice.label, self.variant_choice.values
        self.sample = {label: memo[label] if label in memo else values[int(torch.randint(len(values), ()))]}
        return self.sample

    def forward(self, fused: Features, embedding: Features) -> Features:
        """Compute the variant that was drawn, ``[batch, width]`` all."""
        return self.variants[self.sample[self.variant_choice.label]](fused, embedding)

    def choose(self) -> dict[str, Any]:
        """A random one, as NNI's random one-shot exports it."""
        return self.resample({})
