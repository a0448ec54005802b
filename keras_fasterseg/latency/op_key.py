"""The name under which the latency of one operation is stored."""

import re
import reprlib
from dataclasses import dataclass

OPERATIONS: tuple[str, ...] = (
    "skip",
    "conv",
    "conv_downup",
    "conv_2x",
    "conv_2x_downup",
    "conv_bn_relu_1x1",
    "conv_bn_relu_3x3",
    "fusion",
    "head",
    "serving",
)

_TEXT = re.compile(r"(\w+):(\d{1,7})x(\d{1,7}):(\d{1,7})->(\d{1,7})/(\d)", flags=re.ASCII)


@dataclass(frozen=True, order=True)
class OpKey:
    """One operation at one size: what a row of a `LatencyTable` is about.

    Its text form is `operation:HEIGHTxWIDTH:IN->OUT/STRIDE`, as in `conv_2x:128x256:32->64/2`.

    Attributes:
        operation: One of `OPERATIONS`. The first five are the primitives of the search space;
            `skip` at stride 1 is the 1×1 conv-bn-relu that a supernet runs in its place.
            `conv_bn_relu_1x1` and `conv_bn_relu_3x3` serve stem and decoder, `fusion` is the 1×1
            conv-bn-relu over the concatenated branches, `head` a 3×3 conv-bn-relu followed by a
            1×1 convolution with bias. `serving` is everything around the network from uint8 images
            to class ids: one call of the runtime, normalisation, enlarging by 8 and argmax.
        height: Height of the operation's input, in pixels of the feature map.
        width: Width of the operation's input, in pixels of the feature map.
        in_filters: Channels of the input.
        out_filters: Channels of the output; for a head the number of classes.
        stride: 1 or 2.

    Raises:
        ValueError: A field holds what no operation can have.
    """

    operation: str
    height: int
    width: int
    in_filters: int
    out_filters: int
    stride: int

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ValueError(
                f"Unknown operation; expected one of {', '.join(OPERATIONS)}. "
                f"Received: operation={self.operation!r}"
            )
        for name in ("height", "width", "in_filters", "out_filters"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"`{name}` of an operation must be a whole number of at least 1. "
                    f"Received: {name}={value!r}"
                )
        if isinstance(self.stride, bool) or self.stride not in (1, 2):
            raise ValueError(
                f"`stride` of an operation must be 1 or 2. Received: stride={self.stride!r}"
            )
        if self.operation in ("fusion", "head", "serving") and self.stride != 1:
            raise ValueError(
                f"`{self.operation}` exists at stride 1 only. Received: stride={self.stride!r}"
            )

    def __str__(self) -> str:
        return (
            f"{self.operation}:{self.height}x{self.width}:"
            f"{self.in_filters}->{self.out_filters}/{self.stride}"
        )

    @classmethod
    def parse(cls, text: str) -> "OpKey":
        """The key whose text form is `text`; the inverse of `str`.

        Raises:
            ValueError: `text` has another form or names no operation.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(
                "A key of a latency table has the form operation:HEIGHTxWIDTH:IN->OUT/STRIDE, "
                f"as in conv_2x:128x256:32->64/2. Received: {reprlib.repr(text)}"
            )
        operation, *numbers = match.groups()
        return cls(operation, *(int(number) for number in numbers))
