"""Derives a network from architecture parameters: a pure function of NumPy arrays.

Source: FasterSeg (Chen et al., ICLR 2020), section 3 and appendix, and its released code. Faults of
the released code are reproduced only with `reference_quirks=True`.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_fasterseg.layers.primitives import PRIMITIVES
from keras_fasterseg.spaces.fasterseg.genotype import (
    SCALES,
    BranchGenotype,
    CellGenotype,
    FasterSegGenotype,
)

_SKIP = PRIMITIVES.index("skip")
_DOWN = 0  # column of beta: the input from the finer scale


@dataclasses.dataclass(frozen=True)
class DerivedBranch:
    """One decoded path through the supernet, without removed cells.

    Attributes:
        ops: Index into `PRIMITIVES` for every cell.
        path: Index into `SCALES` of every cell's input.
        downs: 1 for a cell of stride 2, else 0.
        widths: Width multiplier of every cell's output, except the last, which has the head width.
        layers: Layer of every cell in the supernet; removed cells are counted.
    """

    ops: tuple[int, ...]
    path: tuple[int, ...]
    downs: tuple[int, ...]
    widths: tuple[float, ...]
    layers: tuple[int, ...]


def derive(
    alphas: Sequence[npt.ArrayLike],
    betas: Sequence[npt.ArrayLike],
    gammas: Sequence[npt.ArrayLike],
    *,
    base_filters: int,
    width_multipliers: Sequence[float],
    stem_width: float,
    head_width: float,
    branch_scales: Sequence[int] = (32, 16),
    allow_skip: bool = True,
    reference_quirks: bool = False,
    space: str = "fasterseg",
) -> FasterSegGenotype:
    """Decodes architecture parameters into a genotype. The arguments are not modified.

    Args:
        alphas: Logits of the primitives for 1/8, 1/16 and 1/32, of shapes `(layers, 5)`,
            `(layers - 1, 5)` and `(layers - 2, 5)`.
        betas: Logits of the two inputs (down, keep) of the nodes at 1/16 and 1/32, of shapes
            `(layers - 2, 2)` and `(layers - 3, 2)`.
        gammas: Logits of the widths of the nodes at 1/8, 1/16 and 1/32, of shapes
            `(layers - 1, n)`, `(layers - 1, n)` and `(layers - 2, n)`. `n` is the number of width
            multipliers, or 1 for a fixed width, the widest.
        base_filters: Filters per unit of scale.
        width_multipliers: Widths of the supernet, each in (0, 1].
        stem_width: Width multiplier of the stem.
        head_width: Width multiplier of the heads.
        branch_scales: Scales at which the branches end, in the genotype's order.
        allow_skip: Whether cells may be removed; False for the teacher.
        reference_quirks: Decode like the released code (see `derive_branch`).
        space: Name of the search space, recorded in the genotype.

    Raises:
        ValueError: Shapes, widths or scales are invalid, a logit is not finite, or there are too
            few layers to reach a scale.
    """
    cells_by_scale = {}
    for scale in branch_scales:
        branch = derive_branch(
            alphas,
            betas,
            gammas,
            scale=scale,
            width_multipliers=width_multipliers,
            allow_skip=allow_skip,
            reference_quirks=reference_quirks,
        )
        rows = zip(
            branch.layers,
            branch.path,
            branch.ops,
            branch.downs,
            (*branch.widths, head_width),
            strict=True,
        )
        cells_by_scale[scale] = tuple(
            CellGenotype(layer, SCALES[index], PRIMITIVES[op], 1 + down, width)
            for layer, index, op, down, width in rows
        )
    return FasterSegGenotype(
        space=space,
        base_filters=base_filters,
        num_layers=len(np.asarray(alphas[0])),
        stem_width=stem_width,
        head_width=head_width,
        branches=tuple(BranchGenotype(scale, cells_by_scale[scale]) for scale in branch_scales),
    )


def derive_branch(
    alphas: Sequence[npt.ArrayLike],
    betas: Sequence[npt.ArrayLike],
    gammas: Sequence[npt.ArrayLike],
    *,
    scale: int,
    width_multipliers: Sequence[float],
    allow_skip: bool = True,
    reference_quirks: bool = False,
) -> DerivedBranch:
    """Decodes the branch that ends at `scale`; arguments and errors as in `derive`.

    Beta determines the layers at which the path descends, alpha the primitives, gamma the widths.
    Cells of stride 1 that prefer the skip are removed, the most probable first, as long as at least
    `round(layers / 3)` cells plus two per descent remain. After each descent at least one cell
    stays. A cell that prefers the skip but stays, like every such cell of stride 2, gets the
    next-best primitive.

    With `reference_quirks`, the path to 1/16 descends one layer early. A cell kept because a
    descent needs one still counts against the limit of removals. For 5 to 7 layers, the path to
    1/32 descends at layers 1 and 3, regardless of beta.
    """
    alphas, betas, gammas = _checked(alphas, betas, gammas, width_multipliers)
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}. Received: scale={scale}")
    num_layers = len(alphas[0])
    down_layers = _down_layers(betas, SCALES.index(scale), num_layers, reference_quirks)
    path = [sum(down < layer for down in down_layers) for layer in range(num_layers)]
    rows = np.stack([alphas[index][layer - index] for layer, index in enumerate(path)])

    removed = _removed_layers(rows, down_layers, reference_quirks) if allow_skip else set()
    layers = tuple(layer for layer in range(num_layers) if layer not in removed)
    # A remaining cell is never a skip, so its primitive is the best of the others.
    ops = tuple(_SKIP + 1 + int(np.argmax(rows[layer, _SKIP + 1 :])) for layer in layers)
    return DerivedBranch(
        ops=ops,
        path=tuple(path[layer] for layer in layers),
        downs=tuple(int(layer in down_layers) for layer in layers),
        widths=tuple(
            _node_width(gammas, path[layer + 1], layer, width_multipliers) for layer in layers[:-1]
        ),
        layers=layers,
    )


def _checked(
    alphas: Sequence[npt.ArrayLike],
    betas: Sequence[npt.ArrayLike],
    gammas: Sequence[npt.ArrayLike],
    width_multipliers: Sequence[float],
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Returns the parameters as float64 arrays after checking shapes and values."""
    if len(width_multipliers) == 0 or not all(0 < width <= 1 for width in width_multipliers):
        raise ValueError(
            "width_multipliers must be one or more numbers in (0, 1]. "
            f"Received: width_multipliers={width_multipliers}"
        )
    families = {"alphas": alphas, "betas": betas, "gammas": gammas}
    arrays = {
        name: [np.asarray(array, dtype=np.float64) for array in family]
        for name, family in families.items()
    }
    for name, family in arrays.items():
        if not all(np.isfinite(array).all() for array in family):
            raise ValueError(f"{name} contain values that are not finite; the search has diverged.")
    shapes = {name: [array.shape for array in family] for name, family in arrays.items()}
    layers = shapes["alphas"][0][0] if shapes["alphas"] and shapes["alphas"][0] else 0
    if layers < 3:
        raise ValueError(f"At least 3 layers are needed. Received parameters of shapes {shapes}")
    choices = shapes["gammas"][0][-1] if shapes["gammas"] and shapes["gammas"][0] else 0
    count = 1 if choices == 1 else len(width_multipliers)
    expected = {
        "alphas": [(layers - index, len(PRIMITIVES)) for index in range(3)],
        "betas": [(layers - 2, 2), (layers - 3, 2)],
        "gammas": [(layers - 1, count), (layers - 1, count), (layers - 2, count)],
    }
    if shapes != expected:
        raise ValueError(
            f"For {layers} layers and {len(width_multipliers)} widths, the shapes must be "
            f"{expected} (or one column in gammas for a fixed width). Received: {shapes}"
        )
    return arrays["alphas"], arrays["betas"], arrays["gammas"]


def _down_layers(
    betas: list[np.ndarray], scale_index: int, num_layers: int, reference_quirks: bool
) -> tuple[int, ...]:
    """Layers whose cells have stride 2; the earliest descent wins a tie.

    Row r of the first beta is the node before layer r + 2; row r of the second beta is the node
    before layer r + 3. The descents to them are therefore at layers r + 1 and r + 2.
    """
    if scale_index == 0:
        return ()
    down = [_softmax(beta)[:, _DOWN] for beta in betas]
    if scale_index == 1:
        # With fewer than 5 layers there are no inner rows; all rows are candidates.
        rows = range(1, num_layers - 3) if num_layers >= 5 else range(num_layers - 2)
        row = max(rows, key=lambda row: down[0][row])
        return (row,) if reference_quirks else (row + 1,)
    if num_layers < 4:
        raise ValueError(
            f"{num_layers} layers are too few for a path to scale 32; use at least 4 layers, or "
            "branches without scale 32."
        )
    if num_layers >= 8:
        pairs = [(i, j) for j in range(num_layers - 4) for i in range(1, j - 1)]
    elif reference_quirks and num_layers >= 5:
        pairs = [(0, 1)]
    else:
        # Too few layers for the usual margins: allow all descents with a cell on every scale.
        pairs = [(i, j) for j in range(num_layers - 3) for i in range(j + 1)]
    first, second = max(pairs, key=lambda pair: down[0][pair[0]] * down[1][pair[1]])
    return (first + 1, second + 2)


def _removed_layers(
    rows: np.ndarray, down_layers: tuple[int, ...], reference_quirks: bool
) -> set[int]:
    """Layers whose cells are removed from a path with alpha logits `(layers, 5)`."""
    num_layers = len(rows)
    skip_probability = _softmax(rows)[:, _SKIP]
    preferred = np.argmax(rows, axis=-1)
    skips = [
        layer
        for layer in range(num_layers)
        if preferred[layer] == _SKIP and layer not in down_layers
    ]
    staying = set()
    for start, stop in itertools.pairwise((*down_layers, num_layers)):
        section = range(start + 1, stop)
        if section and all(layer in skips for layer in section):
            staying.add(min(section, key=lambda layer: (skip_probability[layer], -layer)))
    minimum = round(num_layers / 3) + 2 * len(down_layers)
    limit = max(0, num_layers - minimum)
    surest = sorted(skips, key=lambda layer: -skip_probability[layer])
    if reference_quirks:
        return set(surest[:limit]) - staying
    return set([layer for layer in surest if layer not in staying][:limit])


def _node_width(
    gammas: list[np.ndarray], scale_index: int, layer: int, width_multipliers: Sequence[float]
) -> float:
    """Width of the node after `layer` at a scale."""
    if gammas[scale_index].shape[-1] == 1:
        return float(max(width_multipliers))
    # Nodes at 1/8 and 1/16 start after layer 0, nodes at 1/32 after layer 1.
    row = gammas[scale_index][layer - max(scale_index - 1, 0)]
    return float(width_multipliers[int(np.argmax(row))])


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
