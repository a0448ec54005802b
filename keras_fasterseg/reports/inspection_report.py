"""The inspection of a data set as readable text, abridged; the JSON is complete."""

from collections.abc import Mapping, Sequence

from keras_fasterseg.data.sample_inspection import Fault
from keras_fasterseg.data.split_inspection import SplitInspection
from keras_fasterseg.reports.inspect_dataset import DatasetInspection
from keras_fasterseg.wording import FEW, counted, few, text_table

_MANY = 10


def inspection_report(inspection: DatasetInspection) -> str:
    """Formats the findings, with long lists abridged; the last line is the verdict."""
    first = inspection.splits[0]
    parts = [
        f"{inspection.dataset} in {inspection.root}, {len(first.class_names)} classes",
        _splits(inspection),
        _classes(inspection),
    ]
    for split in inspection.splits:
        if split.problem is not None:
            parts.append(f"The split {split.name} is unusable. {split.problem}")
        parts += _faults(split)
        parts += _unknown_values(split)
    if inspection.label_problem:
        parts.append(inspection.label_problem)
    parts += _list("Warnings", inspection.warnings())
    suggestions = inspection.suggestions()
    if suggestions is not None:
        parts += _list(f"Suggested for the images of {first.name}", suggestions.flags())
    return "\n\n".join([*parts, inspection.verdict()])


def _splits(inspection: DatasetInspection) -> str:
    headers = ("split", "images", "height x width", "image modes", "label modes", "ignored %")
    rows = [
        (
            split.name,
            f"{len(split.samples):,}",
            _frequencies({f"{h}x{w}": count for (h, w), count in split.sizes.items()}),
            _frequencies(split.image_modes),
            _frequencies(split.label_modes),
            f"{100 * split.ignored_share:.2f}",
        )
        for split in inspection.splits
    ]
    return text_table(headers, rows, "lrlll")


def _classes(inspection: DatasetInspection) -> str:
    first, suggestions = inspection.splits[0], inspection.suggestions()
    headers = ["class"]
    columns: list[Sequence[str]] = [first.class_names]
    for split in inspection.splits:
        headers += [f"{split.name} pixels", "%", "images"]
        columns.append([f"{pixels:,}" for pixels in split.class_pixels])
        columns.append([f"{100 * share:.3f}" for share in split.class_shares])
        columns.append([f"{images:,}" for images in split.class_images])
    note = "%: share of the pixels with a class; images: images that contain the class"
    if suggestions is not None and suggestions.class_weights is not None:
        headers.append("weight")
        columns.append([f"{weight:.2f}" for weight in suggestions.class_weights])
        note += f"; weight: ENet's formula for {first.name}"
    return f"{text_table(headers, zip(*columns, strict=True))}\n{note}"


def _faults(split: SplitInspection) -> list[str]:
    kinds: dict[str, dict[str, list[Fault]]] = {}
    for fault in split.faults:
        kinds.setdefault(fault.kind, {}).setdefault(fault.cause, []).append(fault)
    return [
        part
        for kind, causes in kinds.items()
        for part in _list(
            f"{split.name}, {kind}: {counted(sum(map(len, causes.values())), 'file')}",
            [_sentence(faults) for faults in causes.values()],
        )
    ]


def _sentence(faults: Sequence[Fault]) -> str:
    """Describes the fault of the first file and names other files with the same cause."""
    first, *others = faults
    if not others:
        return first.message
    likewise = [str(fault.file) for fault in others[: FEW - 1]]
    rest = len(others) - len(likewise)
    more = f" and {rest:,} more" if rest else ""
    return f"{first.message} Same fault: {', '.join(likewise)}{more}."


def _unknown_values(split: SplitInspection) -> list[str]:
    lines = []
    for value, files in split.unknown.items():
        name = f"colour {value}" if isinstance(value, tuple) else f"id {value}"
        pixels, labels = counted(sum(files.values()), "pixel"), counted(len(files), "label")
        lines.append(f"{name}: {pixels} in {labels}, {few(list(files))}")
    pixels = counted(split.unknown_pixels, "pixel")
    return _list(f"{split.name}, unknown label values: {pixels}", lines)


def _list(title: str, lines: Sequence[str]) -> list[str]:
    """Formats a title, the first lines and the number of further ones; empty without lines."""
    if not lines:
        return []
    rest = len(lines) - _MANY
    more = [f"and {rest:,} more; see --json"] if rest > 0 else []
    return ["\n".join([f"{title}", *(f"  {line}" for line in [*lines[:_MANY], *more])])]


def _frequencies(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:FEW]]
    rest = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} others" if rest > 0 else "")
