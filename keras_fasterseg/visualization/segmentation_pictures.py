"""The pictures that are made of an image and the classes of its pixels."""

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
    """Which pictures there are, and how they look.

    Attributes:
        palette: `(classes, 3)` uint8, RGB: the colours of the classes.
        kinds: Which of `LABEL_MAP`, `OVERLAY` and `SIDE_BY_SIDE` are made.
        class_names: Names of the classes; None calls them by their numbers.
        opacity: How much the colours hide of the image, in [0, 1].
        legend: Whether the names of the classes stand below overlays.
        titles: What stands above two networks' overlays.
        label_values: What label maps hold for each class, uint8: ids `(classes,)` or RGB colours
            `(classes, 3)`; None: class ids.
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
        """The pictures by their kinds; a legend has the classes that occur.

        Args:
            image: uint8 RGB of shape `(height, width, 3)`.
            class_ids: uint8 of shape `(height, width)`.
            other: Those of another network, to be compared with.
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
        """A palette image of the class ids, or of what stands for them; of colours an RGB image.

        Raises:
            ValueError: A class has no label value.
        """
        if self.label_values is None:
            return label_map_image(class_ids, self.palette)
        if class_ids.max() >= len(self.label_values):
            raise ValueError(
                f"The network finds the class {class_ids.max()}, and the data set has "
                f"{len(self.label_values)}; name the data set that it was trained on."
            )
        values = self.label_values[class_ids]
        if values.ndim == 3:
            return Image.fromarray(values)
        palette = np.zeros((256, 3), np.uint8)
        palette[self.label_values] = self.palette[: len(self.label_values)]
        return label_map_image(values, palette)

    def overlay(self, image: np.ndarray, class_ids: np.ndarray) -> Image.Image:
        """The image with the colours of its classes over it."""
        return overlay_image(image, class_ids, self.palette, self.opacity)

    def side_by_side(
        self, image: np.ndarray, class_ids: np.ndarray, other: np.ndarray | None = None
    ) -> Image.Image:
        """Image and overlay, or the overlays of two networks below their titles."""
        overlay = self.overlay(image, class_ids)
        if other is None:
            return side_by_side([Image.fromarray(image), overlay])
        return side_by_side([overlay, self.overlay(image, other)], self.titles)

    def legend_of(self, class_ids: Iterable[int], width: int) -> Image.Image:
        """Names of these classes in their colours, to stand below a picture of that width."""
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
