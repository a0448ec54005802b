"""Job: a trained network as a SavedModel that takes uint8 images."""

import pathlib

from keras_fasterseg.data.pipeline import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.pipelines.train import load_network


def export(
    network: pathlib.Path,
    target: pathlib.Path,
    class_names: tuple[str, ...] | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Exports `network.keras` to `target`, which had best end in a number, as TF Serving wants.

    Raises:
        FileNotFoundError: There is no such network.
        FileExistsError: The target exists.
        ValueError: The file is not a network of this package, or there are too few class names.
    """
    model = load_network(network)
    return export_saved_model(
        model.without_auxiliary_heads(),
        target,
        num_classes=model.num_classes,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        class_names=class_names,
        metadata={"genotype": model.genotype.to_json()},
        overwrite=overwrite,
    )
