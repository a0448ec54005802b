"""The smallest whole search space: a chain of cells of one width, an operation chosen for each."""

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

DILATIONS = {"plain": 1, "dilated": 2, "skip": None}


def toy_cell(filters, dilation, **kwargs):
    """A dilated 3x3 convolution, batch normalisation, ReLU; the identity without a dilation."""
    if dilation is None:
        return keras.layers.Identity(**kwargs)
    layers = [
        keras.layers.Conv2D(
            filters, 3, padding="same", use_bias=False, dilation_rate=dilation, **kwargs
        ),
        keras.layers.BatchNormalization(dtype=kwargs.get("dtype")),
        keras.layers.ReLU(dtype=kwargs.get("dtype")),
    ]
    return keras.Sequential(layers, name=kwargs.get("name"))


def _operation(key):
    return toy_cell(key.out_filters, dict(key.attributes)["dilation"])


register_operations({"toy_cell": Operation(_operation, (1,), ("dilation",))})


@dataclasses.dataclass(frozen=True)
class ToySettings:
    """Which supernet."""

    cells: int = setting(3, "Cells behind the stem.", limits=AT_LEAST_ONE)
    filters: int = setting(8, "Channels of every cell.", limits=AT_LEAST_ONE)


@dataclasses.dataclass(frozen=True)
class ToyGenotype(Genotype):
    """The operation of every cell, and their channels."""

    filters: int
    cells: tuple[str, ...]

    def __post_init__(self) -> None:
        known = isinstance(self.cells, tuple) and set(self.cells) <= set(DILATIONS)
        require(known, f"Cells are of {', '.join(DILATIONS)}. Received: {self.cells}")


def _stem(images, filters, dtype=None):
    for index in range(3):
        images = ConvBatchNorm(filters, 3, 2, dtype=dtype, name=f"stem_{index}")(images)
    return images


@keras.saving.register_keras_serializable(package="toy")
class ToyNetwork(SegmentationNetwork):
    """Stem, cells and head; the auxiliary head is on the stem."""

    genotype_class = ToyGenotype

    @classmethod
    def make_logits(cls, images, genotype, num_classes, auxiliary_heads, dtype):
        stem = features = _stem(images, genotype.filters, dtype)
        for index, name in enumerate(genotype.cells):
            cell = toy_cell(genotype.filters, DILATIONS[name], dtype=dtype, name=f"cell_{index}")
            features = cell(features)
        heads = {cls.prediction: features} | ({"auxiliary": stem} if auxiliary_heads else {})
        return {
            name: Resize(8, dtype="float32")(Head(num_classes, dtype=dtype, name=name)(each))
            for name, each in heads.items()
        }


class ToyArchitecture(keras.layers.Layer):
    """Logits of the cells' operations, and a mask of those that are not pruned."""

    def __init__(self, cells):
        super().__init__(name=STUDENT)
        self.logits = self.add_weight((cells, len(DILATIONS)), "zeros")
        self.mask = self.add_weight((cells, len(DILATIONS)), "ones", trainable=False)

    def probabilities(self, temperature=1.0):
        """`(cells, operations)`, 0 where pruned."""
        return ops.softmax(ops.where(self.mask > 0, self.logits / temperature, -1e9))


class Prune(keras.callbacks.Callback):
    """Removes the least likely of three operations from every cell."""

    def __init__(self, architecture):
        super().__init__()
        self.architecture = architecture

    def on_epoch_end(self, epoch, logs=None):
        mask = np.array(self.architecture.mask)
        for row, values in zip(mask, np.array(self.architecture.probabilities()), strict=True):
            row[np.argmin(values)] *= row.sum() < 3
        self.architecture.mask.assign(mask)


class ToySearch(SearchModel):
    """Every cell blends its operations by their probabilities."""

    def __init__(self, settings, num_classes):
        self.settings, self.num_classes = settings, num_classes
        self.architectures = {STUDENT: ToyArchitecture(settings.cells)}
        images = keras.Input((None, None, 3))
        choices = keras.Input(batch_shape=(settings.cells, len(DILATIONS)))
        features = _stem(images, settings.filters)
        for cell in range(settings.cells):
            layers = [toy_cell(settings.filters, dilation) for dilation in DILATIONS.values()]
            features = sum(choices[cell, k] * each(features) for k, each in enumerate(layers))
        self.supernet = keras.Model([images, choices], Head(num_classes)(features))

    def search_choices(self, temperature):
        choices = self.architectures[STUDENT].probabilities(temperature)
        return choices, choices

    def evaluation_choices(self, role):
        return self.architectures[role].probabilities()

    def discretized(self, choices):
        return ops.one_hot(ops.argmax(choices, axis=-1), len(DILATIONS))

    def loss(self, images, labels, choices, frozen=False):
        return ohem_cross_entropy(
            labels[:, ::8, ::8], self.supernet([images, choices], training=True)
        )

    def predictions(self, images, choices):
        return {"prediction": self.supernet([images, choices], training=False)}

    def candidates(self, role):
        best = np.argmax(self.evaluation_choices(role), axis=-1)
        names = tuple(list(DILATIONS)[index] for index in best)
        return {"prediction": ToyGenotype("toy", self.settings.filters, names)}

    def entropies(self, role):
        return {"cells": float(_entropy(self.evaluation_choices(role)))}

    def regularization(self):
        return 0.1 * _entropy(self.evaluation_choices(STUDENT))

    def callbacks(self):
        return (Prune(self.architectures[STUDENT]),)


def _entropy(rows):
    return -ops.mean(ops.sum(rows * ops.log(rows + 1e-9), axis=-1)) / np.log(len(DILATIONS))


class ToySpace(SearchSpace):
    """Trains weights and one architecture on one batch, without pretraining."""

    name, families = "toy", ("cells",)
    settings_class, genotype, network = ToySettings, ToyGenotype, ToyNetwork
    single_level, pretrains = True, False

    def search_model(self, num_classes, seed):
        return ToySearch(self.settings, num_classes)

    def penalty(self, table, target_ms, shares="paper"):
        require(target_ms > 0, f"`target_ms` must be positive. Received: target_ms={target_ms}")
        keys = self._cell_keys(table.metadata.input_size)
        costs = np.float32([sum(table[key].latency_ms for key in each) for each in keys.values()])
        return lambda choices: ops.sum(choices * costs) / target_ms

    def _cell_keys(self, size, filters=None):
        filters = filters or self.settings.filters
        place = size[0] // 8, size[1] // 8, filters, filters, 1
        return {
            name: ()
            if dilation is None
            else (OpKey("toy_cell", *place, (("dilation", dilation),)),)
            for name, dilation in DILATIONS.items()
        }

    def stages(self, genotype, size, num_classes):
        height, width, filters = *size, genotype.filters
        stem = [
            OpKey("conv_bn_relu_3x3", height >> i, width >> i, filters if i else 3, filters, 2)
            for i in range(3)
        ]
        head = OpKey("head", height // 8, width // 8, filters, num_classes, 1)
        keys = self._cell_keys(size, filters)
        return (
            *(Stage(f"stem_{index}", (key,)) for index, key in enumerate(stem)),
            *(Stage(f"cell_{index}", keys[name]) for index, name in enumerate(genotype.cells)),
            Stage("prediction", (head,)),
            Stage("auxiliary", (head,), training_only=True),
        )

    def required_keys(self, size, num_classes, role=STUDENT):
        whole = ToyGenotype(self.name, self.settings.filters, tuple(DILATIONS))
        stages = self.stages(whole, size, num_classes)
        return tuple(dict.fromkeys(key for stage in stages for key in stage.keys))

    def supernet_work(self, size, num_classes):
        whole = ToyGenotype(
            self.name, self.settings.filters, tuple(DILATIONS) * self.settings.cells
        )
        stages = self.stages(whole, size, num_classes)
        return total_work(key for each in stages if not each.training_only for key in each.keys)

    def random_genotype(self, generator):
        names = generator.choice(list(DILATIONS), self.settings.cells)
        return ToyGenotype(self.name, self.settings.filters, tuple(map(str, names)))

    def largest_genotype(self, role=STUDENT):
        return ToyGenotype(self.name, self.settings.filters, ("dilated",) * self.settings.cells)
