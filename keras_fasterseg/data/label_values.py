"""Values of label files by class: the way back from class ids to a data set's own."""

import numpy as np

from keras_fasterseg.data.source import SegmentationSource


def label_values(source: SegmentationSource | type[SegmentationSource]) -> np.ndarray:
    """The id or the colour by which label files of `source` name each class.

    Returns:
        uint8 ids of shape `(classes,)`, or RGB colours of shape `(classes, 3)` where label files
        hold colours.

    Raises:
        ValueError: The data set keeps class ids instead of its label files, its label files are
            described in its folder, or some class has several values or none.
    """
    if not source.has_files:
        raise ValueError(
            f"{source.name} was converted, which keeps class ids alone; give --data_dir the folder "
            "that it was converted from."
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
                + f" in labels of {source.name}, so label maps cannot be written with the data "
                "set's own; leave out --ids=dataset."
            )
    return np.array([own[0] for own in values], np.uint8)


def _plain(value: int | list[int]) -> int | tuple[int, ...]:
    return tuple(value) if isinstance(value, list) else value
