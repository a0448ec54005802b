"""The smallest whole search space: a chain of cells, each of which chooses its operation."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Operation, register_operations, total_work
from keras_fasterseg.layers.conv_batch_norm import ConvBatchNorm
from keras_fasterseg.layers.head import Head
from keras_fasterseg.layers.resize import Resize
from keras_fasterseg.losses.ohem_cross_entropy import ohem_cross_entropy
from keras_fasterseg.setting import AT_LEAST_ONE, require, setting
from keras_fasterseg.spaces.base import SearchModel, SearchSpace
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork
from keras_fasterseg.spaces.roles import STUDENT
from keras_fasterseg.spaces.stage import Stage

DILATIONS = {"plain": 1, "dilated": 2, "skip": 0}
NAMES = tuple(DILATIONS)
FILTERS = 8


def toy_cell(dilation, **kwargs):
    """A dilated 3x3 convolution with ReLU; dilation 0 is the identity."""
    if not dilation:
        return keras.layers.Identity(**kwargs)
    kwargs |= {"dilation_rate": dilation, "activation": "relu"}
    return keras.layers.Conv2D(FILTERS, 3, padding="same", **kwargs)


def toy_stem(images, dtype=None):
    """Three convolutions, to 1/8."""
    for index in range(3):
        images = ConvBatchNorm(FILTERS, 3, 2, dtype=dtype, name=f"stem_{index}")(images)
    return images


_OPERATION = Operation(lambda key: toy_cell(dict(key.attributes)["dilation"]), (1,), ("dilation",))
register_operations({"toy_cell": _OPERATION})


@dataclasses.dataclass(frozen=True)
class ToySettings:
    """Which supernet."""

    cells: int = setting(3, "Cells behind the stem.", limits=AT_LEAST_ONE)


@dataclasses.dataclass(frozen=True)
class ToyGenotype(Genotype):
    """The operations of the cells."""

    cells: tuple[str, ...]

    def __post_init__(self):
        require(set(self.cells) <= set(NAMES), f"Cells are of {NAMES}. Received: {self.cells}")


@keras.saving.register_keras_serializable(package="toy")
class ToyNetwork(SegmentationNetwork):
    """Stem, cells and head; the auxiliary head is on the stem."""

    genotype_class = ToyGenotype

    @classmethod
    def make_logits(cls, images, genotype, num_classes, auxiliary_heads, dtype):
        stem = features = toy_stem(images, dtype)
        for index, name in enumerate(genotype.cells):
            features = toy_cell(DILATIONS[name], dtype=dtype, name=f"cell_{index}")(features)
        heads = {cls.prediction: features} | ({"auxiliary": stem} if auxiliary_heads else {})
        return {
            name: Resize(8, dtype="float32")(Head(num_classes, dtype=dtype, name=name)(each))
            for name, each in heads.items()
        }


class ToyArchitecture(keras.layers.Layer):
    """Logits of the cells' operations, and a mask that is 0 for those that are pruned."""

    def __init__(self, cells):
        super().__init__()
        self.logits = self.add_weight((cells, len(NAMES)), "zeros")
        self.mask = self.add_weight((cells, len(NAMES)), "ones", trainable=False)

    def probabilities(self):
        """`(cells, operations)`, 0 where pruned."""
        return ops.softmax(ops.where(self.mask > 0, self.logits, -1e9))

    def prune(self, epoch, logs):
        """Removes the least likely of three operations of every cell."""
        least = ops.argmin(self.probabilities(), axis=-1)
        whole = ops.sum(self.mask, axis=-1, keepdims=True) == len(NAMES)
        self.mask.assign(
            self.mask * (1 - ops.one_hot(least, len(NAMES)) * ops.cast(whole, "float32"))
        )


class ToySearch(SearchModel):
    """Every cell blends its operations by their probabilities."""

    def __init__(self, cells, num_classes):
        self.num_classes = num_classes
        self.architectures = {STUDENT: ToyArchitecture(cells)}
        images, choices = keras.Input((None, None, 3)), keras.Input(batch_shape=(cells, len(NAMES)))
        features = toy_stem(images)
        for row in range(cells):
            layers = map(toy_cell, DILATIONS.values())
            features = sum(choices[row, k] * each(features) for k, each in enumerate(layers))
        self.supernet = keras.Model([images, choices], Head(num_classes)(features))

    def search_choices(self, temperature):
        return (self.evaluation_choices(STUDENT),) * 2

    def evaluation_choices(self, role):
        return self.architectures[role].probabilities()

    def discretized(self, choices):
        return ops.one_hot(ops.argmax(choices, axis=-1), len(NAMES))

    def loss(self, images, labels, choices, frozen=False):
        logits = self.supernet([images, choices], training=True)
        return ohem_cross_entropy(labels[:, ::8, ::8], logits)

    def predictions(self, images, choices):
        return {"prediction": self.supernet([images, choices], training=False)}

    def candidates(self, role):
        best = np.argmax(self.evaluation_choices(role), axis=-1)
        return {"prediction": ToyGenotype("toy", tuple(NAMES[index] for index in best))}

    def regularization(self):
        rows = self.evaluation_choices(STUDENT)
        return -ops.mean(ops.sum(rows * ops.log(rows + 1e-9), axis=-1)) / np.log(len(NAMES))

    def entropies(self, role):
        return {"cells": float(self.regularization())}

    def callbacks(self):
        return (keras.callbacks.LambdaCallback(on_epoch_end=self.architectures[STUDENT].prune),)


class ToySpace(SearchSpace):
    """Trains weights and one architecture on one batch, without pretraining."""

    name, families = "toy", ("cells",)
    settings_class, genotype, network = ToySettings, ToyGenotype, ToyNetwork
    single_level, pretrains = True, False

    def search_model(self, num_classes, seed):
        return ToySearch(self.settings.cells, num_classes)

    def penalty(self, table, target_ms, shares="paper"):
        require(target_ms > 0, f"`target_ms` must be positive. Received: target_ms={target_ms}")
        stages = self.stages(ToyGenotype("toy", NAMES), table.metadata.input_size, 1)[3:6]
        costs = np.float32([table.predicted_ms(stage.keys) for stage in stages])
        return lambda choices: ops.sum(choices * costs) / target_ms

    def stages(self, genotype, size, num_classes):
        height, width = size
        place = height // 8, width // 8, FILTERS
        keys = {
            f"stem_{i}": [
                OpKey("conv_bn_relu_3x3", height >> i, width >> i, FILTERS if i else 3, FILTERS, 2)
            ]
            for i in range(3)
        }
        for index, name in enumerate(genotype.cells):
            key = OpKey("toy_cell", *place, FILTERS, 1, (("dilation", DILATIONS[name]),))
            keys[f"cell_{index}"] = [key] if DILATIONS[name] else []
        keys["prediction"] = keys["auxiliary"] = [OpKey("head", *place, num_classes, 1)]
        return tuple(Stage(name, tuple(each), name == "auxiliary") for name, each in keys.items())

    def required_keys(self, size, num_classes, role=STUDENT):
        return tuple(dict.fromkeys(self._all_keys(size, num_classes)))

    def supernet_work(self, size, num_classes):
        return total_work(self._all_keys(size, num_classes))

    def _all_keys(self, size, num_classes):
        genotype = ToyGenotype("toy", NAMES * self.settings.cells)
        return [key for each in self.stages(genotype, size, num_classes)[:-1] for key in each.keys]

    def random_genotype(self, generator):
        return ToyGenotype("toy", tuple(map(str, generator.choice(NAMES, self.settings.cells))))

    def largest_genotype(self, role=STUDENT):
        return ToyGenotype("toy", ("dilated",) * self.settings.cells)
