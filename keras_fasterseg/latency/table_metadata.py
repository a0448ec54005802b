"""Metadata of a latency table: search space, image size, device and method."""

import dataclasses
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from keras_fasterseg.files import shown

SCHEMA_VERSION = 2
# Largest height or width of an image, in pixels.
LARGEST_SIDE = 2**16


@dataclass(frozen=True)
class Fingerprint:
    """Device and method of latency measurements. Only rows with equal fingerprints compare.

    Attributes:
        device: Name that the device reports, such as `NVIDIA GeForce GTX 1080 Ti`.
        runtime: Runtime of the operations, such as `tensorflow` or `tensorrt`.
        runtime_version: Version of the runtime.
        precision: Arithmetic of the operations: `float32`, `float16` or `int8`.
        threads: CPU threads set for the runtime; None: the runtime chooses.
        harness_version: Version of the timing procedure; 0 for published numbers from others.
        cpu_quota: Limit of the process's CPU time, in cores; None: no limit.
    """

    device: str
    runtime: str
    runtime_version: str
    precision: str
    threads: int | None
    harness_version: int
    cpu_quota: float | None = None

    def __post_init__(self) -> None:
        for name in ("device", "runtime", "runtime_version", "precision"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ValueError(
                    f"`{name}` of a fingerprint must be a non-empty text. "
                    f"Received: {name}={shown(value)}"
                )
        if self.threads is not None:
            require_whole("threads", self.threads, minimum=1)
        require_whole("harness_version", self.harness_version, minimum=0)
        quota = self.cpu_quota
        is_number = isinstance(quota, int | float) and not isinstance(quota, bool)
        if quota is not None and not (is_number and 0 < quota < float("inf")):
            raise ValueError(
                f"`cpu_quota` must be a positive number of cores or None. Received: {quota!r}"
            )

    def __str__(self) -> str:
        threads = "default threads"
        if self.threads is not None:
            threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        quota = "" if self.cpu_quota is None else f", a CPU quota of {self.cpu_quota:g}"
        harness = "measured by others"
        if self.harness_version:
            harness = f"harness version {self.harness_version}"
        return (
            f"{self.runtime} {self.runtime_version} on {self.device}, {self.precision}, "
            f"{threads}{quota}, {harness}"
        )


@dataclass(frozen=True)
class TableMetadata:
    """Metadata of a latency table.

    Attributes:
        space: Name of the search space of the operations.
        input_size: Height and width of the input images, in pixels.
        fingerprint: Device and method of the measurements.
        schema_version: Version of the table's file format.
    """

    space: str
    input_size: tuple[int, int]
    fingerprint: Fingerprint
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(
                f"This version reads latency tables of schema {SCHEMA_VERSION}; measure again or "
                "use the version that wrote the table. "
                f"Received: schema_version={shown(self.schema_version)}"
            )
        if not isinstance(self.space, str) or not self.space:
            raise ValueError(
                f"`space` must be the name of a search space. Received: space={shown(self.space)}"
            )
        if not isinstance(self.input_size, tuple) or len(self.input_size) != 2:
            raise ValueError(
                "`input_size` must be a tuple of height and width. "
                f"Received: input_size={shown(self.input_size)}"
            )
        for side in self.input_size:
            require_whole("input_size", side, 1, LARGEST_SIDE)

    def to_json(self) -> dict[str, Any]:
        """Returns the metadata as JSON values; the inverse of `from_json`."""
        return {
            "schema_version": self.schema_version,
            "space": self.space,
            "input_size": list(self.input_size),
            "fingerprint": dataclasses.asdict(self.fingerprint),
        }

    @classmethod
    def from_json(cls, value: Any) -> "TableMetadata":
        """Returns the metadata from JSON values that `to_json` made.

        Raises:
            ValueError: A field is missing, unknown or invalid.
        """
        require_fields("metadata", value, cls)
        # Tables of earlier versions lack the quota.
        require_fields("fingerprint", value["fingerprint"], Fingerprint, optional={"cpu_quota"})
        size = value["input_size"]
        return cls(
            space=value["space"],
            input_size=tuple(size) if isinstance(size, list) else size,
            fingerprint=Fingerprint(**value["fingerprint"]),
            schema_version=value["schema_version"],
        )


def require_fields(
    name: str, value: Any, fields_of: type, optional: Set[str] = frozenset()
) -> None:
    """Checks that the JSON object `value` has exactly the fields of the dataclass `fields_of`.

    Fields in `optional` may be absent.

    Raises:
        ValueError: `value` is not an object, or a field is missing or unknown; the message names
            it.
    """
    if not isinstance(value, dict):
        raise ValueError(f"`{name}` must be an object. Received: {shown(value)}")
    expected = {field.name for field in dataclasses.fields(fields_of)}
    missing, unknown = sorted(expected - optional - set(value)), sorted(set(value) - expected)
    if missing:
        raise ValueError(f"`{name}` lacks {', '.join(missing)}")
    if unknown:
        raise ValueError(f"`{name}` has unknown fields {', '.join(unknown)}")


def require_whole(name: str, value: Any, minimum: int, maximum: int = 2**31 - 1) -> None:
    """Raises `ValueError` unless `value` is a whole number within both limits."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise ValueError(
            f"`{name}` must be a whole number from {minimum} to {maximum}. "
            f"Received: {name}={shown(value)}"
        )
