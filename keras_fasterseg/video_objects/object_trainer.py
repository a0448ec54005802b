"""Training of a network of video object segmentation."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_fasterseg.video_objects.network import EMBEDDING, ObjectNetwork
from keras_fasterseg.video_objects.object_losses import (
    center_loss,
    identity_loss,
    mask_loss,
    size_loss,
)

Tensor = Any

# Cosines times this number are the logits of identities.
_SHARPNESS = 16.0

LOSSES = ("centers", "sizes", "masks", "foreground", "boundaries", "identities")


class ObjectTrainer(keras.Model):
    """Trains an `ObjectNetwork` on single frames with known boxes.

    The loss is the weighted sum of `LOSSES`: focal loss of centres, absolute error of logarithmic
    sizes, cross-entropy and Dice loss of masks, of the coarse mask and of boundaries (dilation
    minus erosion of the masks), and cross-entropy of identities: cosines of an embedding with one
    learned vector per object of the training set. Which losses there are is given; their forms
    are our choices. Compile with only the optimizer.

    Args:
        network: The network.
        num_identities: Number of objects in the training set.
        weights_of_losses: Weight of each loss, by name.

    Data: `({"images", "boxes"}, targets)` as `FrameBatches` makes them.
    """

    def __init__(
        self,
        network: ObjectNetwork,
        num_identities: int,
        weights_of_losses: Mapping[str, float],
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.network = network
        self.weights_of_losses = dict(weights_of_losses)
        self.identities = self.add_weight(
            shape=(EMBEDDING, num_identities), initializer="he_normal", name="identities"
        )
        self.trackers = {name: keras.metrics.Mean(name=f"{name}_loss") for name in LOSSES}
        self.built = True

    def compile(self, optimizer, **kwargs):
        # "auto" differs between machines on TensorFlow; on JAX it compiles.
        on_tensorflow = keras.backend.backend() == "tensorflow"
        kwargs = {"jit_compile": False if on_tensorflow else "auto", **kwargs}
        super().compile(optimizer=optimizer, **kwargs)

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None):
        return self.network.described(inputs["images"], inputs["boxes"], training=training)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True, **kwargs
    ) -> Tensor:
        losses = self.losses_of(y, y_pred)  # pyright: ignore[reportArgumentType]
        for name, value in losses.items():
            self.trackers[name].update_state(value)
        return sum(self.weights_of_losses[name] * value for name, value in losses.items())

    def losses_of(
        self, targets: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Unweighted losses by name, scalars.

        Args:
            targets: See `training_targets`, with a batch dimension.
            outputs: See `ObjectNetwork.described`.
        """
        targets = {name: ops.convert_to_tensor(each) for name, each in targets.items()}
        present, valid = targets["present"], targets["valid"]
        directions = ops.normalize(self.identities, axis=0)
        logits = _SHARPNESS * ops.matmul(outputs["embeddings"], directions)
        return {
            "centers": center_loss(targets["centers"], outputs["centers"][..., 0], valid),
            "sizes": size_loss(targets["sizes"], outputs["sizes"]),
            "masks": mask_loss(targets["masks"], outputs["masks"], present[..., None, None]),
            "foreground": mask_loss(
                targets["foreground"], outputs["foreground"][..., 0], targets["valid_foreground"]
            ),
            "boundaries": mask_loss(
                targets["boundaries"], outputs["boundaries"][..., 0], targets["valid_boundaries"]
            ),
            "identities": identity_loss(targets["identities"], logits, present),
        }
