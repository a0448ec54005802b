"""Cost of networks of any search space: operations, multiply-accumulates, predicted latency."""

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import SERVING, Work, total_work
from keras_fasterseg.latency.table import LatencyTable
from keras_fasterseg.layers.padding import SIZE_MULTIPLE
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.registry import space_of

Size = tuple[int, int]


def deployed_keys(genotype: Genotype, input_size: Size, num_classes: int) -> tuple[OpKey, ...]:
    """Operations of the deployed network, without auxiliary heads.

    Raises:
        ValueError: A side of `input_size` is not a multiple of 32.
    """
    stages = space_of(genotype).stages(genotype, input_size, num_classes)
    return tuple(key for stage in stages if not stage.training_only for key in stage.keys)


def network_work(genotype: Genotype, size: Size, num_classes: int, training: bool = False) -> Work:
    """Work of a network for one image of any size.

    Args:
        genotype: The network.
        size: Height and width of the image, in pixels; both are rounded up to multiples of 32.
        num_classes: Number of classes.
        training: Whether to include the auxiliary heads.
    """
    height, width = (-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in size)
    stages = space_of(genotype).stages(genotype, (height, width), num_classes)
    return total_work(
        key for stage in stages if training or not stage.training_only for key in stage.keys
    )


def predicted_latency_ms(genotype: Genotype, table: LatencyTable, num_classes: int = 19) -> float:
    """Predicted latency of the deployed network, in milliseconds.

    It is the sum of the rows of all its operations, plus the row of `serving_key` if the table has
    one. If the table has a calibration, the sum is calibrated.

    Raises:
        KeyError: A row is missing in the table.
    """
    size = table.metadata.input_size
    serving = serving_key(size, num_classes)
    surrounding = (serving,) if serving in table else ()
    return table.predicted_ms((*deployed_keys(genotype, size, num_classes), *surrounding))


def serving_key(input_size: Size, num_classes: int) -> OpKey:
    """Key of the operation around any network, from uint8 images to class ids."""
    return OpKey(SERVING, *input_size, 3, num_classes, 1)


def check_input_size(input_size: Size) -> None:
    """Raises `ValueError` unless height and width are positive multiples of 32."""
    if any(side < 32 or side % 32 for side in input_size):
        raise ValueError(
            "Height and width of the input size must be positive multiples of 32. "
            f"Received: {input_size[0]}x{input_size[1]}"
        )
