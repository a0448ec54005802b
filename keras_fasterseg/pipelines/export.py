"""Job: a trained network as an artefact that takes uint8 images."""

import pathlib

import keras

from keras_fasterseg.data.pipeline import IMAGENET_MEAN, IMAGENET_STD
from keras_fasterseg.export.saved_model import export_saved_model
from keras_fasterseg.export.static_graph import OUTPUTS, STATIC_FORMATS, export_static_graph
from keras_fasterseg.pipelines.settings import require
from keras_fasterseg.pipelines.trained_networks import load_network
from keras_fasterseg.runtimes.artefact_format import SAVED_MODEL
from keras_fasterseg.runtimes.serving_graph import CLASS_IDS
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork

FORMATS = (SAVED_MODEL, *STATIC_FORMATS)
OUTPUT_CHOICES = tuple(OUTPUTS)


def export(
    network: pathlib.Path,
    target: pathlib.Path,
    class_names: tuple[str, ...] | None = None,
    overwrite: bool = False,
    *,
    format: str = SAVED_MODEL,
    input_size: tuple[int, int] | None = None,
    batch_size: int = 1,
    output: str | None = None,
) -> pathlib.Path:
    """Exports `network.keras` to the folder `target`.

    Args:
        network: The trained network.
        target: For a SavedModel it had best end in a number, as TF Serving wants.
        class_names: A name for every class.
        overwrite: Whether an export that is there already is replaced.
        format: One of `FORMATS`.
        input_size: Height and width of the images; a SavedModel takes all sizes.
        batch_size: Images a call, likewise.
        output: `class_ids` (None means it), `logits` or `both`; a SavedModel always has both.

    Raises:
        FileNotFoundError: There is no such network.
        FileExistsError: The target exists.
        ValueError: The file is not a network of this package, there are too few class names, or an
            option does not go with the format.
    """
    _check(format, input_size, batch_size, output)
    return export_network(
        load_network(network),
        target,
        class_names,
        overwrite,
        format=format,
        input_size=input_size,
        batch_size=batch_size,
        output=output,
    )


def export_network(
    network: FasterSegNetwork,
    target: pathlib.Path,
    class_names: tuple[str, ...] | None = None,
    overwrite: bool = False,
    *,
    format: str = SAVED_MODEL,
    input_size: tuple[int, int] | None = None,
    batch_size: int = 1,
    output: str | None = None,
) -> pathlib.Path:
    """What `export` does, for a network in memory."""
    _check(format, input_size, batch_size, output)
    model: keras.Model = network.without_auxiliary_heads()
    metadata = {"genotype": network.genotype.to_json()}
    if input_size is None:
        return export_saved_model(
            model,
            target,
            num_classes=network.num_classes,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            class_names=class_names,
            metadata=metadata,
            overwrite=overwrite,
        )
    return export_static_graph(
        model,
        target,
        format=format,
        input_size=input_size,
        batch_size=batch_size,
        outputs=output or CLASS_IDS,
        num_classes=network.num_classes,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        class_names=class_names,
        metadata=metadata,
        overwrite=overwrite,
    )


def _check(
    format: str, input_size: tuple[int, int] | None, batch_size: int, output: str | None
) -> None:
    require(
        format in FORMATS,
        f"There is no format {format!r} to export to; choose one of {', '.join(FORMATS)}.",
    )
    if format == SAVED_MODEL:
        require(
            input_size is None and batch_size == 1 and output in (None, "both"),
            "A SavedModel takes images of every size and has both outputs; leave --input_size, "
            f"--batch_size and --output unset or choose one of {', '.join(STATIC_FORMATS)}.",
        )
        return
    require(
        input_size is not None,
        f"The format {format} is made for one size of images; give --input_size=HEIGHTxWIDTH.",
    )
