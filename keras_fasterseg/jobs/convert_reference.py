"""Job: convert files of the released PyTorch code to files of this package."""

import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from keras_fasterseg.files import PathLike, atomic_path
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.fasterseg.architecture import Architecture
from keras_fasterseg.spaces.fasterseg.derive import derive
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from keras_fasterseg.spaces.fasterseg.plan import NetworkPlan
from keras_fasterseg.spaces.fasterseg.released import (
    ConversionReport,
    load_released_architecture,
    load_released_network,
    load_released_supernet,
)
from keras_fasterseg.spaces.fasterseg.released_table import (
    charged_as_released,
    load_released_table,
)
from keras_fasterseg.spaces.fasterseg.released_weights import read_released_weights
from keras_fasterseg.spaces.fasterseg.search_model import FasterSegSearch
from keras_fasterseg.spaces.fasterseg.settings import FasterSegSettings
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.roles import TEACHER

_LOGITS = re.compile(r"(alpha|beta|ratio)_\d_\d")
_NETWORK_CLASSES = "heads8.conv_1x1.weight"
_SUPERNET_CLASSES = "head0.0.conv_1x1.weight"


def convert_network(
    weights: PathLike, genotype: Genotype, output: PathLike, allow_partial: bool = False
) -> ConversionReport:
    """Writes a released derived network to `output`, a `.keras` file.

    The result has auxiliary heads if the released network has them. Nothing is written if a weight
    is missing or unused, unless `allow_partial` is true.

    Raises:
        FileNotFoundError: The file of weights does not exist.
        ValueError: The weights cannot be read or are not of that genotype, or `output` has another
            suffix.
    """
    _check_suffix(output, ".keras")
    state = read_released_weights(weights)
    network = FasterSegNetwork(
        genotype,
        _num_classes(state, _NETWORK_CLASSES, weights, "network"),
        auxiliary_heads=any(name.startswith(("heads16.", "heads32.")) for name in state),
    )
    report = load_released_network(network, _without_repetitions(state, network.plan))
    if allow_partial or is_complete(report):
        with atomic_path(output) as path:
            network.save(path)
    return report


def convert_supernet(
    weights: PathLike,
    settings: FasterSegSettings,
    output: PathLike,
    allow_partial: bool = False,
) -> ConversionReport:
    """Writes a released supernet's weights to `output`, a `.weights.h5` file.

    Nothing is written if a weight is missing or unused, unless `allow_partial` is true. Logits of
    the architecture in the file are not weights and are ignored: see `convert_architecture`.

    Raises:
        FileNotFoundError: The file of weights does not exist.
        ValueError: The weights cannot be read or are of another supernet, or `output` has another
            suffix.
    """
    _check_suffix(output, ".weights.h5")
    state = read_released_weights(weights)
    num_classes = _num_classes(state, _SUPERNET_CLASSES, weights, "supernet")
    supernet = FasterSegSearch(settings, num_classes, seed=0).supernet
    state = {name: value for name, value in state.items() if not _LOGITS.fullmatch(name)}
    report = load_released_supernet(supernet, state)
    if allow_partial or is_complete(report):
        with atomic_path(output) as path:
            supernet.save_weights(path)
    return report


def convert_architecture(
    weights: PathLike,
    role: str,
    settings: FasterSegSettings,
    output: PathLike,
    branch_scales: Sequence[int] = (32, 16),
    reference_quirks: bool = False,
) -> ConversionReport:
    """Writes the genotype of a released architecture to `output`, a `.json` file.

    Args:
        weights: The released logits `alpha_I_S`, `beta_I_S` and `ratio_I_S`.
        role: Role of the architecture: "teacher" (I = 0) or "student" (I = 1).
        settings: The supernet that was searched.
        output: The file to write; not written if a logit is missing or unused.
        branch_scales: The scales at which the branches end.
        reference_quirks: Whether to decode the logits with the faults of the released code.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The logits cannot be read or are of another supernet, `role` is unknown, or
            `output` has another suffix.
    """
    _check_suffix(output, ".json")
    state = read_released_weights(weights)
    logits = {name: value for name, value in state.items() if _LOGITS.fullmatch(name)}
    architecture = Architecture(role, settings.num_layers, len(settings.width_multipliers))
    report = load_released_architecture(architecture, logits)
    if is_complete(report):
        width = settings.stem_head_widths[role]
        genotype = derive(
            **architecture.logits(),
            base_filters=settings.base_filters,
            width_multipliers=settings.width_multipliers,
            stem_width=width,
            head_width=width,
            branch_scales=branch_scales,
            allow_skip=role != TEACHER,
            reference_quirks=reference_quirks,
        )
        genotype.save(output)
    return report


def convert_latency_table(
    source: PathLike, output: PathLike, reference_quirks: bool = False
) -> ConversionReport:
    """Writes the released latency table as a table of this package to `output`, a `.json` file.

    Args:
        source: The released table as JSON: an object whose `table` maps operations to milliseconds.
        output: The file to write.
        reference_quirks: Whether to assign latencies to operations as the released code does.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not such a table, or `output` has another suffix.
    """
    _check_suffix(output, ".json")
    table = load_released_table(source)
    if reference_quirks:
        table = charged_as_released(table)
    table.save(output)
    return ConversionReport(len(table), (), (), ())


def is_complete(report: ConversionReport) -> bool:
    """True if no weight is missing and none is unused."""
    return not report.missing and not report.unused


def report_text(report: ConversionReport) -> str:
    """The number of converted tensors and the names of the others, as text."""
    lines = [f"converted: {report.converted}"]
    for kind in ("missing", "unused", "dead"):
        names = getattr(report, kind)
        lines += [f"{kind}: {len(names)}", *(f"  {name}" for name in names)]
    return "\n".join(lines)


def _check_suffix(output: PathLike, suffix: str) -> None:
    require(
        pathlib.Path(output).name.endswith(suffix),
        f"The output must be a {suffix} file. Received: {output}",
    )


def _num_classes(state: Mapping[str, np.ndarray], name: str, weights: PathLike, kind: str) -> int:
    if name not in state:
        raise ValueError(f"{weights} is not a released {kind}: it has no tensor {name}.")
    return len(state[name])


def _without_repetitions(
    state: Mapping[str, np.ndarray], plan: NetworkPlan
) -> dict[str, np.ndarray]:
    """`state` without duplicates: PyTorch saves a shared cell once for every branch."""
    state = dict(state)
    for cell in plan.cells:
        first, *others = (f"cells.{cell.position}-{branch}." for branch in cell.branches)
        for prefix in others:
            for name in [name for name in state if name.startswith(prefix)]:
                original = state.get(first + name.removeprefix(prefix))
                if original is not None and np.array_equal(original, state[name]):
                    del state[name]
    return state
