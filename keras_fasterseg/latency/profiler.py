"""Fills a latency table, operation by operation, and survives being stopped."""

from collections.abc import Callable, Iterable

from keras_fasterseg.files import PathLike
from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.table import LatencyRow, LatencyTable
from keras_fasterseg.latency.table_metadata import TableMetadata
from keras_fasterseg.progress import progress_bar


def profile(
    keys: Iterable[OpKey],
    measure: Callable[[OpKey], LatencyRow],
    metadata: TableMetadata,
    *,
    partial: LatencyTable | None = None,
    path: PathLike | None = None,
    save_every: int = 20,
    progress: bool = True,
) -> LatencyTable:
    """Measures the operations that a table does not have yet.

    Args:
        keys: The operations that are needed; repeated ones are measured once.
        measure: Measures one operation; an `OperationMeter`.
        metadata: Header of the table: the device and the image size of `keys`.
        partial: An earlier table of the same header, as an interrupted run left it. Its rows are
            kept, also those that `keys` does not name, and not measured again.
        path: Where to save the table: after every `save_every` new rows, at the end and when
            `measure` fails or is interrupted. Nothing is saved if it is None.
        save_every: New rows between two savings.
        progress: Whether to show a progress bar.

    Returns:
        The table with all of `keys`.

    Raises:
        ValueError: `partial` holds for another device, image size or space, or `save_every` is
            below 1.
    """
    if save_every < 1:
        raise ValueError(f"`save_every` must be at least 1. Received: save_every={save_every}")
    if partial is not None and partial.metadata != metadata:
        raise ValueError(
            "A table is continued only on the device and for the images that it was begun with: "
            f"expected {metadata}, received a table of {partial.metadata}. Write to another file."
        )
    rows = dict(partial or {})
    pending = LatencyTable(rows, metadata).missing(keys)
    try:
        bar = progress_bar(pending, "measuring operations", unit="op", show=progress)
        for count, key in enumerate(bar, start=1):
            rows[key] = measure(key)
            if path is not None and count % save_every == 0:
                LatencyTable(rows, metadata).save(path)
    finally:
        table = LatencyTable(rows, metadata)
        # Failing at the very first operation must not replace an earlier file by an empty table.
        if path is not None and rows:
            table.save(path)
    return table
