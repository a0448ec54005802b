"""Names of a graph's outputs, and limits of its image sizes, batches and classes."""

CLASS_IDS = "class_ids"
LOGITS = "logits"

# Smaller images are rejected: they would be mostly padding.
MINIMUM_SIZE = 32
# Maximum image side or batch size that a manifest may name.
LARGEST_SIDE = 2**16

MAXIMUM_CLASSES = 255  # class ids are uint8 and 255 means "no label" to every metric


def check_input_shape(input_size: tuple[int, int], batch_size: int | None = 1) -> None:
    """Raises ValueError unless height and width are at least 32, and `batch_size` at least 1.

    A `batch_size` of None means that it is free.
    """
    if len(input_size) != 2 or min(input_size) < MINIMUM_SIZE:
        raise ValueError(
            f"`input_size` must be height and width, each at least {MINIMUM_SIZE}. "
            f"Received: input_size={input_size}"
        )
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
