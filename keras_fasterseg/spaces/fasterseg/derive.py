"""From architecture parameters to the derived network: a pure function of NumPy arrays.

Source: FasterSeg (Chen et al., ICLR 2020), section 3 and appendix; and its released code, whose
faults are reproduced with `reference_quirks=True` only.
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
    """One decoded path through the supernet, its removed cells left out.

    Attributes:
        ops: Index into `PRIMITIVES` of every cell.
        path: Index into `SCALES` of every cell's input.
        downs: 1 for a cell of stride 2, else 0.
        widths: Width multiplier of every cell's output but the last, which has the head's.
        layers: Layer of the supernet of every cell, removed ones counted.
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
    """Decodes architecture parameters into a genotype. Nothing that is handed in is changed.

    Args:
        alphas: Logits of the primitives for 1/8, 1/16 and 1/32, of shapes `(layers, 5)`,
            `(layers - 1, 5)` and `(layers - 2, 5)`.
        betas: Logits of the two inputs (from down, from keep) of the nodes at 1/16 and 1/32, of
            shapes `(layers - 2, 2)` and `(layers - 3, 2)`.
        gammas: Logits of the widths of the nodes at 1/8, 1/16 and 1/32, of shapes
            `(layers - 1, n)`, `(layers - 1, n)` and `(layers - 2, n)`. `n` is the number of width
            multipliers, or 1 for a fixed width, which is the widest.
        base_filters: Filters per unit of scale.
        width_multipliers: The widths that the supernet can take, each in (0, 1].
        stem_width: Width multiplier of the stem.
        head_width: Width multiplier of the heads.
        branch_scales: The scales at which the branches end, in the genotype's order.
        allow_skip: Whether a cell may be removed. The teacher's network allows none.
        reference_quirks: Decode as the released code does (see `derive_branch`).
        space: Name of the search space to note in the genotype.

    Raises:
        ValueError: Shapes, widths or scales do not fit, a logit is not finite, or so few layers
            reach no such scale.
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
    """Decodes the branch that ends at `scale`; arguments and errors are those of `derive`.

    The path descends where beta prefers it, a cell's primitive is alpha's preferred one, a width
    gamma's. A cell of stride 1 that prefers the skip is removed, the surest first, while at least
    `round(layers / 3)` cells and two more for every descent remain; after each descent at least
    one cell stays. A cell that prefers the skip and has to stay, one of stride 2 always, takes
    the next-best primitive.

    With `reference_quirks` the path to 1/16 descends one layer early, a cell that stays for its
    descent's sake uses up one of the removals that the limit allows, and for 5 to 7 layers the
    path to 1/32 descends at layers 1 and 3 whatever beta says.
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
    # A cell that stays never stays a skip, so the best of the others is its preferred primitive.
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
    """The parameters as arrays of float64, if their shapes fit together."""
    if len(width_multipliers) == 0 or not all(0 < width <= 1 for width in width_multipliers):
        raise ValueError(
            "width_multipliers must be numbers in (0, 1]. "
            f"Received: width_multipliers={width_multipliers}"
        )
    families = {"alphas": alphas, "betas": betas, "gammas": gammas}
    arrays = {
        name: [np.asarray(array, dtype=np.float64) for array in family]
        for name, family in families.items()
    }
    for name, family in arrays.items():
        if not all(np.isfinite(array).all() for array in family):
            raise ValueError(f"{name} hold values that are not finite; the search has diverged.")
    shapes = {name: [array.shape for array in family] for name, family in arrays.items()}
    layers = shapes["alphas"][0][0] if shapes["alphas"] and shapes["alphas"][0] else 0
    if layers < 3:
        raise ValueError(f"At least 3 layers are needed. Received alphas of shapes {shapes}")
    choices = shapes["gammas"][0][-1] if shapes["gammas"] and shapes["gammas"][0] else 0
    count = 1 if choices == 1 else len(width_multipliers)
    expected = {
        "alphas": [(layers - index, len(PRIMITIVES)) for index in range(3)],
        "betas": [(layers - 2, 2), (layers - 3, 2)],
        "gammas": [(layers - 1, count), (layers - 1, count), (layers - 2, count)],
    }
    if shapes != expected:
        raise ValueError(
            f"For {layers} layers and {len(width_multipliers)} widths the shapes must be "
            f"{expected} (gammas may have one column for a fixed width). Received: {shapes}"
        )
    return arrays["alphas"], arrays["betas"], arrays["gammas"]


def _down_layers(
    betas: list[np.ndarray], scale_index: int, num_layers: int, reference_quirks: bool
) -> tuple[int, ...]:
    """The layers whose cells have stride 2; among equals the earliest descent wins.

    Row r of the first beta is the node before layer r + 2, row r of the second that before layer
    r + 3: what comes down to them leaves the cells at layers r + 1 and r + 2.
    """
    if scale_index == 0:
        return ()
    down = [_softmax(beta)[:, _DOWN] for beta in betas]
    if scale_index == 1:
        # With fewer than 5 layers the inner rows are none: all rows then stand.
        rows = range(1, num_layers - 3) if num_layers >= 5 else range(num_layers - 2)
        row = max(rows, key=lambda row: down[0][row])
        return (row,) if reference_quirks else (row + 1,)
    if num_layers < 4:
        raise ValueError(
            f"{num_layers} layers have no path to scale 32; search at least 4 layers or leave "
            "scale 32 out of the branches."
        )
    if num_layers >= 8:
        pairs = [(i, j) for j in range(num_layers - 4) for i in range(1, j - 1)]
    elif reference_quirks and num_layers >= 5:
        pairs = [(0, 1)]
    else:
        # Too few layers for the usual margins: all descents that leave a cell on every scale.
        pairs = [(i, j) for j in range(num_layers - 3) for i in range(j + 1)]
    first, second = max(pairs, key=lambda pair: down[0][pair[0]] * down[1][pair[1]])
    return (first + 1, second + 2)


def _removed_layers(
    rows: np.ndarray, down_layers: tuple[int, ...], reference_quirks: bool
) -> set[int]:
    """The layers of a path whose cells go, given its alpha logits of shape `(layers, 5)`."""
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
    """Width of the node that follows `layer` at a scale."""
    if gammas[scale_index].shape[-1] == 1:
        return float(max(width_multipliers))
    # The nodes at 1/8 and at 1/16 start after layer 0, those at 1/32 one later.
    row = gammas[scale_index][layer - max(scale_index - 1, 0)]
    return float(width_multipliers[int(np.argmax(row))])


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
