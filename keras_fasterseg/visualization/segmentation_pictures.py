"""Pictures of a segmented image: label map, overlay and side by side."""

import dataclasses
from collections.abc import Iterable

import numpy as np
from PIL import Image

from keras_fasterseg.visualization.class_legend import class_legend
from keras_fasterseg.visualization.label_map import label_map_image, overlay_image
from keras_fasterseg.visualization.panels import side_by_side, stacked
from keras_fasterseg.visualization.text import drawn_names, text_size_for

LABEL_MAP = ""
OVERLAY = "_overlay"
SIDE_BY_SIDE = "_side_by_side"


@dataclasses.dataclass(frozen=True)
class SegmentationPictures:
    """Selection and style of the pictures to draw.

    Attributes:
        palette: Colours of the classes, `(classes, 3)` uint8, RGB.
        kinds: The pictures to draw, among `LABEL_MAP`, `OVERLAY` and `SIDE_BY_SIDE`.
        class_names: Names of the classes; None uses their numbers.
        opacity: Opacity of the colours over the image, in [0, 1].
        legend: Whether to add a legend of the classes below overlays.
        titles: Titles above the overlays of two networks.
        label_values: Values of the classes in label maps, uint8: ids `(classes,)` or RGB colours
            `(classes, 3)`; None for class ids.
    """

    palette: np.ndarray
    kinds: tuple[str, ...] = (LABEL_MAP, OVERLAY)
    class_names: tuple[str, ...] | None = None
    opacity: float = 0.5
    legend: bool = False
    titles: tuple[str, str] | None = None
    label_values: np.ndarray | None = None

    def draw(
        self, image: np.ndarray, class_ids: np.ndarray, other: np.ndarray | None = None
    ) -> dict[str, Image.Image]:
        """Draws the pictures, by kind. A legend lists only the classes present.

        Args:
            image: uint8 RGB of shape `(height, width, 3)`.
            class_ids: uint8 of shape `(height, width)`.
            other: Class ids of another network, for comparison.
        """
        maps = [class_ids] if other is None else [class_ids, other]
        makers = {
            LABEL_MAP: lambda: self.label_map(class_ids),
            OVERLAY: lambda: self._with_legend(self.overlay(image, class_ids), [class_ids]),
            SIDE_BY_SIDE: lambda: self._with_legend(
                self.side_by_side(image, class_ids, other), maps
            ),
        }
        return {kind: makers[kind]() for kind in self.kinds}

    def label_map(self, class_ids: np.ndarray) -> Image.Image:
        """A palette image of class ids or label ids; an RGB image if label values are colours.

        Raises:
            ValueError: A class has no label value.
        """
        if self.label_values is None:
            return label_map_image(class_ids, self.palette)
        if class_ids.max() >= len(self.label_values):
            raise ValueError(
                f"The network predicts the class {class_ids.max()}, but the data set has "
                f"{len(self.label_values)} classes; use the data set that it was trained on."
            )
        values = self.label_values[class_ids]
        if values.ndim == 3:
            return Image.fromarray(values)
        palette = np.zeros((256, 3), np.uint8)
        palette[self.label_values] = self.palette[: len(self.label_values)]
        return label_map_image(values, palette)

    def overlay(self, image: np.ndarray, class_ids: np.ndarray) -> Image.Image:
        """The image blended with the colours of its classes."""
        return overlay_image(image, class_ids, self.palette, self.opacity)

    def side_by_side(
        self, image: np.ndarray, class_ids: np.ndarray, other: np.ndarray | None = None
    ) -> Image.Image:
        """Image and overlay side by side, or the overlays of two networks with titles."""
        overlay = self.overlay(image, class_ids)
        if other is None:
            return side_by_side([Image.fromarray(image), overlay])
        return side_by_side([overlay, self.overlay(image, other)], self.titles)

    def legend_of(self, class_ids: Iterable[int], width: int) -> Image.Image:
        """A legend of these classes, for a picture of this width."""
        entries = [(self._name(each), tuple(self._color(each))) for each in class_ids]
        text_size = text_size_for(width)
        return class_legend(entries, width, text_size, margin=text_size // 2)

    def _with_legend(self, picture: Image.Image, maps: list[np.ndarray]) -> Image.Image:
        if not self.legend:
            return picture
        occurring = np.unique(np.concatenate([np.unique(each) for each in maps]))
        return stacked([picture, self.legend_of(occurring.tolist(), picture.width)])

    def _name(self, class_id: int) -> str:
        names = drawn_names(tuple(self.class_names or ()))
        return names[class_id] if class_id < len(names) else str(class_id)

    def _color(self, class_id: int) -> np.ndarray:
        return self.palette[class_id] if class_id < len(self.palette) else np.zeros(3, np.uint8)
