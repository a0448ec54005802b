"""Loads weights of the released PyTorch FasterSeg, by state-dict name, into our networks.

Released tensors are `(out, in, height, width)` kernels and the four vectors of a batch norm. Names
are built by walking our layers, so the same rules serve derived networks and supernets.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.mixed_op import MixedOp
from keras_fasterseg.layers.primitives import ConvPrimitive, FactorizedReduce
from keras_fasterseg.layers.stem import Stem
from keras_fasterseg.layers.switchable_batch_normalization import SwitchableBatchNormalization
from keras_fasterseg.layers.upsample_fusion import UpsampleFusion
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.supernet import Supernet
from keras_fasterseg.spaces.roles import STUDENT, TEACHER

_NORMALIZATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# Stored by the released code, but without effect on its results.
_DEAD = ("channel_attention", "num_batches_tracked")
_SWITCHABLE_ROW = re.compile(r"(?P<norm>.+)\.bn\.\d+\.\w+")


@dataclasses.dataclass(frozen=True)
class Assignment:
    """Target of one released tensor: `weight[index]`, or the start of that row."""

    name: str
    weight: keras.Variable
    index: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class ConversionReport:
    """Tensors that a conversion used or left out.

    Attributes:
        converted: Number of tensors loaded.
        missing: Names missing in the file; these weights stay unchanged.
        unused: Names in the file without a counterpart in our network.
        dead: Names in the file without effect in the released code.
    """

    converted: int
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    dead: tuple[str, ...]


def load_released_network(
    network: FasterSegNetwork, state: Mapping[str, np.ndarray]
) -> ConversionReport:
    """Sets the weights of a derived network from a released state dict.

    Raises:
        ValueError: A tensor does not have the shape of its target; no weight has changed.
    """
    return _load(list(network_assignments(network)), state)


def load_released_supernet(supernet: Supernet, state: Mapping[str, np.ndarray]) -> ConversionReport:
    """Sets the weights of a supernet from a released state dict (index 0 is the teacher).

    Raises:
        ValueError: A tensor does not have the shape of its target; no weight has changed.
    """
    return _load(list(supernet_assignments(supernet)), state)


def load_released_architecture(
    architecture: Architecture, state: Mapping[str, np.ndarray]
) -> ConversionReport:
    """Sets alpha, beta and gamma from the released `alpha_I_S`, `beta_I_S` and `ratio_I_S`.

    Raises:
        ValueError: A tensor does not have the shape of its target; no weight has changed.
    """
    index = 0 if architecture.role == TEACHER else 1
    weights = {
        **{f"alpha_{index}_{scale}": value for scale, value in enumerate(architecture.alphas)},
        **{f"beta_{index}_{scale + 1}": value for scale, value in enumerate(architecture.betas)},
        **{f"ratio_{index}_{scale}": value for scale, value in enumerate(architecture.gammas)},
    }
    own = {name: value for name, value in state.items() if name.split("_")[1:2] == [str(index)]}
    if not architecture.gammas:
        own = {name: value for name, value in own.items() if not name.startswith("ratio")}
    return _load([Assignment(name, weight) for name, weight in weights.items()], own)


def _load(assignments: list[Assignment], state: Mapping[str, np.ndarray]) -> ConversionReport:
    state = {name: np.asarray(value) for name, value in state.items()}
    known = {assignment.name for assignment in assignments}
    rest = [name for name in state if name not in known]
    # `bn.weight` next to `bn.bn.0.weight` is the slimmable norm's own affine pair, never used.
    matches = (_SWITCHABLE_ROW.fullmatch(name) for name in known)
    switchable = {match["norm"] for match in matches if match}
    dead = tuple(
        name
        for name in rest
        if any(part in name for part in _DEAD) or name.rpartition(".")[0] in switchable
    )
    values: dict[int, tuple[keras.Variable, np.ndarray]] = {}
    for assignment in assignments:
        if assignment.name in state:
            _, target = values.setdefault(
                id(assignment.weight),
                (assignment.weight, np.array(keras.ops.convert_to_numpy(assignment.weight))),
            )
            _place(target[assignment.index], _layout(state[assignment.name]), assignment)
    for weight, value in values.values():
        weight.assign(value)
    missing = tuple(sorted(known - state.keys()))
    unused = tuple(sorted(set(rest) - set(dead)))
    return ConversionReport(len(known) - len(missing), missing, unused, tuple(sorted(dead)))


def _layout(value: np.ndarray) -> np.ndarray:
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value


def _place(target: np.ndarray, value: np.ndarray, assignment: Assignment) -> None:
    # Statistics of a narrow width fill the start of a row; all rows have the widest width.
    fits = target.shape == value.shape or (
        assignment.index and target.ndim == value.ndim == 1 and len(value) <= len(target)
    )
    if not fits:
        raise ValueError(
            f"{assignment.name} has shape {value.shape}, but its target {assignment.weight.path} "
            f"has shape {target.shape}. Use the genotype of these weights."
        )
    target[tuple(slice(0, size) for size in value.shape)] = value


def network_assignments(network: FasterSegNetwork) -> Iterator[Assignment]:
    """Yields the target of each tensor of a released derived network."""
    plan = network.plan
    yield from _stem(network.get_layer("stem"), "stem")
    for cell in plan.cells:
        prefix = f"cells.{cell.position}-{cell.branches[0]}._op._op"
        yield from _primitive(network.get_layer(cell.name), prefix)
    for branch, steps in zip(network.genotype.branches, plan.joins, strict=True):
        for index, join in enumerate(steps):
            suffix = f".{index}" if branch.scale == 32 else ""
            layer: UpsampleFusion = network.get_layer(join.name)
            yield from _conv_norm(layer.reduction, f"arms{branch.scale}{suffix}")
            yield from _conv_norm(layer.refinement, f"refines{branch.scale}{suffix}")
    fusion = network.get_layer("fusion")
    yield from _conv_batch_norm(fusion, "ffm.conv_1x1.conv", "ffm.conv_1x1.bn")
    yield from _head(network.get_layer("head"), "heads8")
    if network.auxiliary_heads:
        for scale in plan.auxiliary:
            yield from _head(network.get_layer(f"auxiliary_head_{scale}"), f"heads{scale}")


def supernet_assignments(supernet: Supernet) -> Iterator[Assignment]:
    """Yields the target of each tensor of a released supernet; `supernet` must be built."""
    for role_index, role in enumerate((TEACHER, STUDENT)):
        yield from _stem(supernet.stems[role], f"stem.{role_index}")
        decoder = supernet.decoders[role]
        for index, fusion in enumerate((decoder.fusion_32_16, decoder.fusion_32_8)):
            yield from _conv_norm(fusion.reduction, f"refine32.{role_index}.{2 * index}")
            yield from _conv_norm(fusion.refinement, f"refine32.{role_index}.{2 * index + 1}")
        yield from _conv_norm(decoder.fusion_16.reduction, f"refine16.{role_index}.0")
        yield from _conv_norm(decoder.fusion_16.refinement, f"refine16.{role_index}.1")
        for name, head in zip(("0", "1", "2", "02", "12"), decoder.heads, strict=True):
            yield from _head(head, f"head{name}.{role_index}")
    for stacks, part in ((supernet.keep, "_op"), (supernet.down, "downsample")):
        for scale, stack in enumerate(stacks):
            template: MixedOp = stack.template
            for row in range(stack.count):
                prefix = f"cells.{row + scale}.{scale}.{part}._ops"
                for index, primitive in enumerate(template.primitives):
                    for assignment in _primitive(primitive, f"{prefix}.{index}"):
                        (weight,) = stack.stacked([assignment.weight])
                        yield Assignment(assignment.name, weight, (row, *assignment.index))


def _stem(stem: Stem, prefix: str) -> Iterator[Assignment]:
    yield from _conv_norm(stem.stages[0], f"{prefix}.0")
    yield from _primitive(stem.stages[1], f"{prefix}.1")
    yield from _primitive(stem.stages[2], f"{prefix}.2")


def _primitive(layer: keras.layers.Layer, prefix: str) -> Iterator[Assignment]:
    if isinstance(layer, ConvPrimitive):
        for index, block in enumerate(layer.blocks, start=1):
            yield from _conv_batch_norm(block, f"{prefix}.conv{index}", f"{prefix}.bn{index}")
    elif isinstance(layer, FactorizedReduce):
        yield Assignment(f"{prefix}.conv1.weight", layer.even_kernel)
        yield Assignment(f"{prefix}.conv2.weight", layer.odd_kernel)
        yield from _normalization(layer.normalization, f"{prefix}.bn")
    elif isinstance(layer, ConvBatchNorm):
        yield from _conv_batch_norm(layer, f"{prefix}.conv1", f"{prefix}.bn")


def _head(head: Head, prefix: str) -> Iterator[Assignment]:
    convolution = head.convolution
    yield from _conv_batch_norm(convolution, f"{prefix}.conv_3x3.conv", f"{prefix}.conv_3x3.bn")
    yield Assignment(f"{prefix}.conv_1x1.weight", head.classifier.kernel)
    yield Assignment(f"{prefix}.conv_1x1.bias", head.classifier.bias)


def _conv_norm(layer: ConvBatchNorm, prefix: str) -> Iterator[Assignment]:
    yield from _conv_batch_norm(layer, f"{prefix}.conv.0", f"{prefix}.conv.1")


def _conv_batch_norm(layer: ConvBatchNorm, conv: str, norm: str) -> Iterator[Assignment]:
    yield Assignment(f"{conv}.weight", layer.convolution.kernel)
    yield from _normalization(layer.normalization, norm)


def _normalization(layer: Any, prefix: str) -> Iterator[Assignment]:
    for ours, theirs in _NORMALIZATION.items():
        weight = getattr(layer, ours)
        if isinstance(layer, SwitchableBatchNormalization):
            for row in range(len(layer.width_multipliers)):
                yield Assignment(f"{prefix}.bn.{row}.{theirs}", weight, (row,))
        else:
            yield Assignment(f"{prefix}.{theirs}", weight)
