"""The latencies of a device: one row an operation."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keras_fasterseg.files import PathLike, read_json, shown, write_json
from keras_fasterseg.latency.calibration import Calibration
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table_metadata import TableMetadata, require_fields, require_whole

# Eleven days: sums of rows stay numbers.
LARGEST_MS = 1e9


@dataclass(frozen=True)
class LatencyRow:
    """Measured latency of one operation.

    Attributes:
        latency_ms: The median of the repetitions, in milliseconds; above 0.
        p10_ms: Their tenth percentile, in milliseconds. A repetition is a difference of two times,
            so that the noise of a very short operation can make it negative.
        p90_ms: Their ninetieth percentile, in milliseconds.
        repetitions: How many there were; 0 if the source states one number without its spread,
            in which case all three latencies are that number.

    Raises:
        ValueError: A latency is not finite, the median is not positive, or the percentiles are out
            of order.
    """

    latency_ms: float
    p10_ms: float
    p90_ms: float
    repetitions: int

    def __post_init__(self) -> None:
        for name in ("latency_ms", "p10_ms", "p90_ms"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            # Neither NaN nor infinity nor an integer beyond all floats is between the two.
            if not is_number or not -LARGEST_MS <= value <= LARGEST_MS:
                raise ValueError(
                    f"`{name}` must be a finite number of milliseconds, at most {LARGEST_MS:g}. "
                    f"Received: {name}={shown(value)}"
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
    """Measured latencies by operation, with the device and image size that they hold for.

    A read-only mapping: `table[key]`, `key in table`, `len(table)`, iteration over keys in the
    order of measurement. Nothing is ever measured or guessed on a look-up.

    Args:
        rows: The rows by key; copied.
        metadata: For which images and on which device they were measured.
        calibration: From the sums of rows to whole networks; None leaves the sums as they are.
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
        """For which images and on which device the rows were measured."""
        return self._metadata

    @property
    def calibration(self) -> Calibration | None:
        """From the sums of rows to whole networks, if it was fitted."""
        return self._calibration

    def calibrated(self, calibration: Calibration | None) -> "LatencyTable":
        """The same rows with another calibration, or with none."""
        return LatencyTable(self._rows, self._metadata, calibration)

    def predicted_ms(self, keys: Iterable[OpKey]) -> float:
        """The latency of a network that runs the operations `keys`, in milliseconds.

        The sum of the rows, by the calibration if the table has one.

        Raises:
            KeyError: The table lacks a row.
        """
        sum_ms = sum(self[key].latency_ms for key in keys)
        return sum_ms if self._calibration is None else self._calibration(sum_ms)

    def __getitem__(self, key: OpKey) -> LatencyRow:
        try:
            return self._rows[key]
        except KeyError:
            raise KeyError(_missing_message(key, self._metadata)) from None

    def __contains__(self, key: object) -> bool:
        return key in self._rows

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
        """Those of `keys` that have no row yet, each once, in the order given."""
        return tuple(key for key in dict.fromkeys(keys) if key not in self._rows)

    def save(self, path: PathLike) -> None:
        """Writes the table as JSON; the file is either whole or as it was before."""
        write_json(
            path,
            {
                "metadata": self._metadata.to_json(),
                "calibration": self._calibration and dataclasses.asdict(self._calibration),
                "rows": {str(key): dataclasses.asdict(row) for key, row in self.items()},
            },
        )

    @classmethod
    def load(cls, path: PathLike) -> "LatencyTable":
        """The table that `save` wrote to `path`.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is truncated, is no latency table or holds impossible values; the
                message names the file and what is wrong in it.
        """
        try:
            return cls._from_json(read_json(path))
        except ValueError as error:
            raise ValueError(
                f"{path} cannot be read as a latency table ({error}); delete or move it and "
                "measure it anew with `python -m tools.measure_latency`."
            ) from error

    @classmethod
    def _from_json(cls, value: Any) -> "LatencyTable":
        if not isinstance(value, dict) or set(value) != {"metadata", "calibration", "rows"}:
            raise ValueError("it is not an object of `metadata`, `calibration` and `rows`")
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
        f"The latency table of {fingerprint.device} has no row {key}; measure a table that has "
        f"with `python -m tools.measure_latency --workdir=ANOTHER --input_size={height}x{width} "
        f"--runtime={fingerprint.runtime}{threads}`, the space's flags and the number of classes."
    )
