"""Latency table of a device: one row per operation."""

import dataclasses
import math
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keras_fasterseg.files import PathLike, read_json, shown, write_json
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import rows_of
from keras_fasterseg.latency.table_metadata import TableMetadata, require_fields, require_whole

# Eleven days: sums of rows stay finite.
LARGEST_MS = 1e9


@dataclass(frozen=True)
class LatencyRow:
    """Measured or interpolated latency of one operation.

    Attributes:
        latency_ms: Median of the measurements, in milliseconds; above 0.
        p10_ms: Tenth percentile, in milliseconds. A measurement is a difference of two times, so
            noise can make it negative for a very short operation.
        p90_ms: Ninetieth percentile, in milliseconds.
        repetitions: Number of measurements. 0 if the row is interpolated. Also 0 if the source
            gives one number without a spread; all three latencies are then that number.

    Raises:
        ValueError: A latency is not finite or too large, the median is not positive, the
            percentiles are out of order, or `repetitions` is not a whole number of at least 0.
    """

    latency_ms: float
    p10_ms: float
    p90_ms: float
    repetitions: int

    def __post_init__(self) -> None:
        for name in ("latency_ms", "p10_ms", "p90_ms"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            # NaN, infinity and integers beyond the range of floats all fail this comparison.
            if not is_number or not -LARGEST_MS <= value <= LARGEST_MS:
                raise ValueError(
                    f"`{name}` must be a finite number of milliseconds, at most {LARGEST_MS:g} in "
                    f"size. Received: {name}={shown(value)}"
                )
        if self.latency_ms <= 0:
            raise ValueError(
                "`latency_ms` must be a positive number of milliseconds. "
                f"Received: latency_ms={self.latency_ms!r}"
            )
        if not self.p10_ms <= self.latency_ms <= self.p90_ms:
            raise ValueError(
                "The latencies must be in the order p10_ms <= latency_ms <= p90_ms. Received: "
                f"p10_ms={self.p10_ms}, latency_ms={self.latency_ms}, p90_ms={self.p90_ms}"
            )
        count = self.repetitions
        require_whole("repetitions", count, minimum=0)


class LatencyTable(Mapping[OpKey, LatencyRow]):
    """Measured latencies by operation, with the metadata of device and image size.

    A read-only mapping. `len(table)` and iteration cover the measured rows, in the order of
    measurement. `table[key]` and `key in table` also cover rows that are interpolated between
    measured ones: the latency is the weighted sum of the rows of `rows_of(key)`. Such a key is
    interpolated even if it was measured too, as a check (see `measured`), so that all are alike.

    Args:
        rows: The rows by key; copied.
        metadata: Search space, image size and device of the rows.
        calibration: Maps sums of rows to latencies of networks; None: sums are used unchanged.
    """

    def __init__(
        self,
        rows: Mapping[OpKey, LatencyRow],
        metadata: TableMetadata,
        calibration: Calibration | None = None,
    ):
        self._rows = dict(rows)
        self._metadata = metadata
        self._calibration = calibration

    @property
    def metadata(self) -> TableMetadata:
        """Search space, image size and device of the rows."""
        return self._metadata

    @property
    def calibration(self) -> Calibration | None:
        """Maps sums of rows to latencies of networks; None if not fitted."""
        return self._calibration

    def calibrated(self, calibration: Calibration | None) -> "LatencyTable":
        """Returns the same rows with another calibration, or with none."""
        return LatencyTable(self._rows, self._metadata, calibration)

    def predicted_ms(self, keys: Iterable[OpKey]) -> float:
        """Predicted latency of a network that runs the operations `keys`, in milliseconds.

        It is the sum of the rows, calibrated if the table has a calibration.

        Raises:
            KeyError: A row is missing.
        """
        sum_ms = sum(self[key].latency_ms for key in keys)
        return sum_ms if self._calibration is None else self._calibration(sum_ms)

    @property
    def measured(self) -> Mapping[OpKey, LatencyRow]:
        """The measured rows, including checks of interpolated ones."""
        return types.MappingProxyType(self._rows)

    def __getitem__(self, key: OpKey) -> LatencyRow:
        weights = rows_of(key)
        if missing := self.missing(weights):
            raise KeyError(_missing_message(missing[0], self._metadata))
        return self._rows[key] if key in weights else self._weighted(weights)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, OpKey) and not self.missing(rows_of(key))

    def __iter__(self) -> Iterator[OpKey]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LatencyTable):
            return NotImplemented
        return (
            self._metadata == other._metadata
            and self._calibration == other._calibration
            and self._rows == other._rows
        )

    __hash__ = None

    def __repr__(self) -> str:
        return f"LatencyTable({len(self)} rows, {self._metadata!r})"

    def missing(self, keys: Iterable[OpKey]) -> tuple[OpKey, ...]:
        """The keys without a measured row, each once, in the given order."""
        return tuple(key for key in dict.fromkeys(keys) if key not in self._rows)

    def _weighted(self, weights: Mapping[OpKey, float]) -> LatencyRow:
        latency_ms, p10_ms, p90_ms = (
            math.fsum(weight * getattr(self._rows[key], name) for key, weight in weights.items())
            for name in ("latency_ms", "p10_ms", "p90_ms")
        )
        return LatencyRow(latency_ms, p10_ms, p90_ms, repetitions=0)

    def save(self, path: PathLike) -> None:
        """Writes the table as JSON, atomically: the file is complete or unchanged."""
        write_json(
            path,
            {
                "metadata": self._metadata.to_json(),
                "calibration": self._calibration and dataclasses.asdict(self._calibration),
                "rows": {str(key): dataclasses.asdict(row) for key, row in self._rows.items()},
            },
        )

    @classmethod
    def load(cls, path: PathLike) -> "LatencyTable":
        """Reads the table that `save` wrote to `path`.

        Raises:
            FileNotFoundError: The file does not exist.
            ValueError: The file is truncated, is not a latency table or holds invalid values; the
                message names the file and the fault.
        """
        try:
            return cls._from_json(read_json(path))
        except ValueError as error:
            raise ValueError(
                f"{path} cannot be read as a latency table ({error}); delete or move it and "
                "measure again with `python -m tools.measure_latency`."
            ) from error

    @classmethod
    def _from_json(cls, value: Any) -> "LatencyTable":
        if not isinstance(value, dict) or set(value) != {"metadata", "calibration", "rows"}:
            raise ValueError("it is not an object with `metadata`, `calibration` and `rows`")
        metadata = TableMetadata.from_json(value["metadata"])
        calibration = value["calibration"]
        if calibration is not None:
            require_fields("calibration", calibration, Calibration)
            calibration = Calibration(**calibration)
        if not isinstance(value["rows"], dict):
            raise ValueError("`rows` must be an object of latencies by operation")
        rows = {}
        for text, row in value["rows"].items():
            require_fields(text, row, LatencyRow)
            rows[OpKey.parse(text)] = LatencyRow(**row)
        return cls(rows, metadata, calibration)


def _missing_message(key: OpKey, metadata: TableMetadata) -> str:
    height, width = metadata.input_size
    fingerprint = metadata.fingerprint
    threads = "" if fingerprint.threads is None else f" --threads={fingerprint.threads}"
    return (
        f"The latency table of {fingerprint.device} has no row {key}. Measure a new table: run "
        f"`python -m tools.measure_latency --workdir=ANOTHER --input_size={height}x{width} "
        f"--runtime={fingerprint.runtime}{threads}` with the flags of the search space and the "
        "number of classes."
    )
