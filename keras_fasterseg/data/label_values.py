"""Maps class ids back to the values in a data set's label files."""

import numpy as np

from keras_fasterseg.data.source import SegmentationSource


def label_values(source: SegmentationSource | type[SegmentationSource]) -> np.ndarray:
    """The id or colour of each class in the label files of `source`.

    Returns:
        uint8 ids of shape `(classes,)`, or RGB colours of shape `(classes, 3)` if label files
        hold colours.

    Raises:
        ValueError: The data set was converted and keeps only class ids, its labels are described in
            a folder that was not given, or a class has no value or several values.
    """
    if not source.has_files:
        raise ValueError(
            f"{source.name} is a converted data set, which keeps only class ids; set --data_dir to "
            "the folder that it was converted from."
        )
    lookup = getattr(source, "label_lookup", None)
    if lookup is None or not source.class_names:
        raise ValueError(
            f"The labels of the data set {source.name!r} are described in its folder; set "
            "--data_dir."
        )
    colors, kind = source.label_colors, "id" if source.label_colors is None else "colour"
    rows = [np.flatnonzero(lookup == class_id) for class_id in range(len(source.class_names))]
    values = [own.tolist() if colors is None else colors[own].tolist() for own in rows]
    for name, own in zip(source.class_names, values, strict=True):
        if len(own) != 1:
            several = ", ".join(map(str, map(_plain, own)))
            raise ValueError(
                f"The class {name!r} has "
                + (f"the {kind}s {several}" if own else f"no {kind}")
                + f" in labels of {source.name}, so label maps cannot use the data set's values; "
                "remove --ids=dataset."
            )
    return np.array([own[0] for own in values], np.uint8)


def _plain(value: int | list[int]) -> int | tuple[int, ...]:
    return tuple(value) if isinstance(value, list) else value
