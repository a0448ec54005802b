"""Key of one operation in a latency table."""

import re
import reprlib
from dataclasses import dataclass

_NAME = re.compile(r"[a-z]\w{0,39}", flags=re.ASCII)
_TEXT = re.compile(
    r"(\w+):(\d{1,7})x(\d{1,7}):(\d{1,7})->(\d{1,7})/(\d)(?::(\w+=\d{1,7}(?:,\w+=\d{1,7})*))?",
    flags=re.ASCII,
)


@dataclass(frozen=True, order=True)
class OpKey:
    """Key of one operation at one size; identifies a row of a `LatencyTable`.

    The text form is `operation:HEIGHTxWIDTH:IN->OUT/STRIDE`, for example
    `conv_2x:128x256:32->64/2`. Attributes follow a colon, as in
    `block:64x128:64->64/1:dilation=4,pooled=1`. Search spaces register the meaning of names and
    attributes with `latency.operations.register_operations`.

    Attributes:
        operation: Name: lower-case letters, digits and underscores.
        height: Height of the operation's input, in pixels of the feature map.
        width: Width of the operation's input, in pixels of the feature map.
        in_filters: Channels of the input.
        out_filters: Channels of the output; for a head, the number of classes.
        stride: 1 or 2.
        attributes: Further numbers by name, such as a dilation; sorted by name.

    Raises:
        ValueError: A field has an invalid value.
    """

    operation: str
    height: int
    width: int
    in_filters: int
    out_filters: int
    stride: int
    attributes: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        for name in (self.operation, *(name for name, _ in self.attributes)):
            if not isinstance(name, str) or _NAME.fullmatch(name) is None:
                raise ValueError(
                    "Names of operations and attributes must start with a lower-case letter and "
                    "have at most 40 letters, digits and underscores. "
                    f"Received: {reprlib.repr(name)}"
                )
        for name in ("height", "width", "in_filters", "out_filters"):
            _check_whole(name, getattr(self, name), minimum=1)
        for name, value in self.attributes:
            _check_whole(name, value, minimum=0)
        if isinstance(self.stride, bool) or self.stride not in (1, 2):
            raise ValueError(
                f"`stride` of an operation must be 1 or 2. Received: stride={self.stride!r}"
            )
        if len(dict(self.attributes)) < len(self.attributes):
            raise ValueError(
                f"Each attribute must have exactly one value. Received: {self.attributes}"
            )
        object.__setattr__(self, "attributes", tuple(sorted(self.attributes)))

    def __str__(self) -> str:
        text = (
            f"{self.operation}:{self.height}x{self.width}:"
            f"{self.in_filters}->{self.out_filters}/{self.stride}"
        )
        attributes = ",".join(f"{name}={value}" for name, value in self.attributes)
        return f"{text}:{attributes}" if attributes else text

    @classmethod
    def parse(cls, text: str) -> "OpKey":
        """Returns the key with text form `text`; the inverse of `str`.

        Raises:
            ValueError: `text` does not have the form of a key.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(
                "A key of a latency table has the form operation:HEIGHTxWIDTH:IN->OUT/STRIDE, "
                f"as in conv_2x:128x256:32->64/2. Received: {reprlib.repr(text)}"
            )
        operation, *numbers, attributes = match.groups()
        pairs = (each.split("=") for each in attributes.split(",")) if attributes else ()
        height, width, in_filters, out_filters, stride = map(int, numbers)
        values = tuple((name, int(value)) for name, value in pairs)
        return cls(operation, height, width, in_filters, out_filters, stride, values)


def _check_whole(name: str, value: object, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ValueError(
            f"`{name}` of an operation must be a whole number of at least {minimum}. "
            f"Received: {name}={value!r}"
        )
