"""Stretches of a strategy -> phases: parameter groups, LR curves, BatchNorm modes, what must not move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from ftcli.components import schedule
from ftcli.errors import Problem, RecipeError
from ftcli.planner.prefix import Images, prefix_of
from ftcli.plans.freeze_facts import FROZEN_SHARE
from ftcli.plans.freeze_mask import FreezeMask
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.lr_curve import LrCurve
from ftcli.plans.norm_policy import NormPolicy
from ftcli.plans.param_group import group_parameters
from ftcli.plans.phase import BatchNormMode, Phase, Stretch
from ftcli.plans.prefix import PrefixCost
from ftcli.plans.quantised_base import is_scale
from ftcli.recipe.schema import Recipe


def compile_phases(
    recipe: Recipe,
    layer_map: LayerMap,
    stretches: tuple[Stretch, ...],
    lr_scale: Mapping[int, float],
    policy: NormPolicy,
    *,
    images: Images,
    costs: Mapping[int, PrefixCost],
) -> tuple[Phase, ...]:
    """`images` and `costs` decide what of a frozen part is kept: see planner/prefix."""
    starts = [0, *(stretch.end_epoch for stretch in stretches[:-1])]
    spans = _curve_spans(stretches, starts)
    return tuple(
        _compile(recipe, layer_map, stretch, start, span, lr_scale, policy, images, costs)
        for stretch, start, span in zip(stretches, starts, spans, strict=True)
    )


def _compile(
    recipe: Recipe,
    layer_map: LayerMap,
    stretch: Stretch,
    start: int,
    span: tuple[int, int],
    lr_scale: Mapping[int, float],
    policy: NormPolicy,
    images: Images,
    costs: Mapping[int, PrefixCost],
) -> Phase:
    train_layers = frozenset(layer_map.by_name[name].layer for name in stretch.mask.trainable)
    mask = _without_frozen_affine(stretch.mask, layer_map, policy)
    modes = _batch_norm_modes(layer_map, train_layers, mask, policy)
    return Phase(
        name=stretch.name,
        start_epoch=start,
        end_epoch=stretch.end_epoch,
        mask=mask,
        groups=group_parameters(layer_map, mask, lr_scale, recipe.optimizer.weight_decay),
        curve=_curve(recipe, stretch.name, span[1] - span[0]),
        curve_start=span[0],
        plateau=stretch.plateau,
        train_layers=train_layers,
        batch_norms=modes,
        frozen_tensors=_frozen_tensors(layer_map, mask, train_layers, modes),
        prefix=prefix_of(recipe, layer_map, train_layers, images, stretch.end_epoch - start, costs),
    )


def _curve_spans(stretches: tuple[Stretch, ...], starts: list[int]) -> list[tuple[int, int]]:
    """For each stretch the epochs (start, end) of the LR curve that it is part of."""
    restarts = [0, *(start for s, start in zip(stretches, starts, strict=True) if s.restarts_curve)]
    bounds = [*dict.fromkeys(restarts), stretches[-1].end_epoch]
    spans = list(pairwise(bounds))
    return [next(span for span in reversed(spans) if span[0] <= start) for start in starts]


def _curve(recipe: Recipe, phase: str, span: int) -> LrCurve:
    try:
        return schedule.curve(recipe.schedule, span)
    except ValueError as error:
        raise RecipeError(
            Problem(
                "schedule.warmup", f"{error} (phase {phase!r})", 'shorten it, or give a share such as "10%"'
            )
        ) from error


def _without_frozen_affine(mask: FreezeMask, layer_map: LayerMap, policy: NormPolicy) -> FreezeMask:
    if policy.trains_affine:
        return mask
    return mask - FreezeMask(frozenset(name for bn in layer_map.batch_norms for name in bn.params))


def _batch_norm_modes(
    layer_map: LayerMap, train_layers: frozenset[int], mask: FreezeMask, policy: NormPolicy
) -> tuple[BatchNormMode, ...]:
    """Statistics move where the weights around a BatchNorm train, or its own gamma and beta do."""
    moving = _moving_layers(layer_map, mask) & train_layers
    return tuple(
        BatchNormMode(
            bn.name,
            bn.stage,
            updates_stats=policy.updates_stats and (bn.layer in moving or _any_in(bn.params, mask)),
            trains_affine=_any_in(bn.params, mask),
        )
        for bn in layer_map.batch_norms
    )


def _moving_layers(layer_map: LayerMap, mask: FreezeMask) -> set[int]:
    """Layers of whose own weights more than next to nothing trains (see FROZEN_SHARE)."""
    values: Counter[int] = Counter()
    trained: Counter[int] = Counter()
    for p in layer_map.parameters:
        if not p.is_norm and not p.is_adapter:
            values[p.layer] += p.numel
            trained[p.layer] += p.numel if p.name in mask else 0
    return {layer for layer, count in values.items() if trained[layer] >= FROZEN_SHARE * count > 0}


def _any_in(names: Iterable[str], mask: FreezeMask) -> bool:
    return any(name in mask for name in names)


def _frozen_tensors(
    layer_map: LayerMap, mask: FreezeMask, train_layers: frozenset[int], modes: tuple[BatchNormMode, ...]
) -> tuple[str, ...]:
    """Parameters outside the mask, statistics of BatchNorms in eval mode, other buffers of frozen layers.

    The scales of weights in 4 bits are as frozen as these, whatever stands beside them.
    """
    kept = {mode.name for mode in modes if not mode.updates_stats}
    return (
        *(p.name for p in layer_map.parameters if p.name not in mask),
        *(name for bn in layer_map.batch_norms if bn.name in kept for name in bn.buffers),
        *(name for name, layer in layer_map.buffers if layer not in train_layers or is_scale(name)),
    )
