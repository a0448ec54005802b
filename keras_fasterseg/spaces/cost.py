"""Cost of the networks of any space: operations, multiply-accumulates, predicted latency."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import SERVING, Work, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import space_of

Size = tuple[int, int]


def deployed_keys(genotype: Genotype, input_size: Size, num_classes: int) -> tuple[OpKey, ...]:
    """The operations of the deployed network, without its auxiliary heads.

    Raises:
        ValueError: `input_size` is not of multiples of 32.
    """
    stages = space_of(genotype).stages(genotype, input_size, num_classes)
    return tuple(key for stage in stages if not stage.training_only for key in stage.keys)


def network_work(genotype: Genotype, size: Size, num_classes: int, training: bool = False) -> Work:
    """The work of a network for one image of any size.

    Args:
        genotype: The network.
        size: Height and width of the image; what runs is padded to multiples of 32.
        num_classes: Number of classes.
        training: Whether the auxiliary heads are there.
    """
    height, width = (-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in size)
    stages = space_of(genotype).stages(genotype, (height, width), num_classes)
    return total_work(
        key for stage in stages if training or not stage.training_only for key in stage.keys
    )


def predicted_latency_ms(genotype: Genotype, table: LatencyTable, num_classes: int = 19) -> float:
    """The latency of the deployed network by `table`, in milliseconds.

    The sum of the rows of all its stages, and of `serving_key` if the table was measured with it;
    by the table's calibration, if there is one.

    Raises:
        KeyError: The table lacks a row.
    """
    size = table.metadata.input_size
    serving = serving_key(size, num_classes)
    surrounding = (serving,) if serving in table else ()
    return table.predicted_ms((*deployed_keys(genotype, size, num_classes), *surrounding))


def serving_key(input_size: Size, num_classes: int) -> OpKey:
    """Operation around any network, from uint8 images to class ids."""
    return OpKey(SERVING, *input_size, 3, num_classes, 1)


def check_input_size(input_size: Size) -> None:
    """Raises `ValueError` unless height and width are positive multiples of 32."""
    if any(side < 32 or side % 32 for side in input_size):
        raise ValueError(
            "The input size must be positive multiples of 32, height x width. "
            f"Received: {input_size[0]}x{input_size[1]}"
        )
