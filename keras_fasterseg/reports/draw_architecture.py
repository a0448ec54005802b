"""Picture of a network with its costs."""

import collections
from typing import TYPE_CHECKING

from keras_fasterseg.benchmark.statistics import fps_text
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.reports.describe import describe
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.visualization.architecture import architecture_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_architecture(
    genotype: Genotype,
    input_size: tuple[int, int],
    num_classes: int = 19,
    table: LatencyTable | None = None,
    name: str | None = None,
) -> "Figure":
    """Draws a network, with the latency shares and the frame rate predicted by `table`.

    Args:
        genotype: The network.
        input_size: Height and width of the images, multiples of 32.
        num_classes: Number of classes.
        table: Latencies of a device; None draws no shares.
        name: Name of the network. Default: only its id is shown.

    Raises:
        ValueError: See `describe`.
        KeyError: The table lacks an operation of the network.
    """
    description = describe(genotype, input_size, num_classes, table=table)
    height, width = input_size
    facts = [
        f"{description['parameters_inference']:,} parameters",
        f"{description['macs'] / 1e9:.4g} GMACs at {height}x{width}",
    ]
    shares = None
    if table is not None:
        fingerprint = table.metadata.fingerprint
        facts.append(
            f"predicted {fps_text(description['fps_predicted'])} FPS "
            f"({description['latency_ms_predicted']:.2f} ms) on {fingerprint.device}, "
            f"{fingerprint.runtime}"
        )
        shares = collections.Counter()
        for row in description["stages"]:
            if not row["training_only"]:
                shares[row["name"]] += row["latency_share"]
    title = f"{name} · {genotype.id}" if name else genotype.id
    return architecture_figure(genotype, title, " · ".join(facts), shares)
