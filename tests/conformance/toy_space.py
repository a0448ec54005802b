"""The smallest complete search space: a chain of cells, each with a choice of operation."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.latency.operations import Operation, register_operations
from keras_fasterseg.layers import ConvBatchNorm, Head, Resize
from keras_fasterseg.losses import ohem_cross_entropy
from keras_fasterseg.setting import AT_LEAST_ONE, require, setting
from keras_fasterseg.spaces.base import STUDENT, SearchModel, SearchSpace, Stage, mean_entropy
from keras_fasterseg.spaces.genotype import Genotype
from keras_fasterseg.spaces.network import SegmentationNetwork

DILATIONS = {"plain": 1, "dilated": 2, "skip": 0}
NAMES = tuple(DILATIONS)
FILTERS = 8


def toy_cell(dilation, **kwargs):
    """A dilated 3x3 convolution with ReLU; dilation 0 is the identity."""
    if not dilation:
        return keras.layers.Identity(**kwargs)
    kwargs |= {"dilation_rate": dilation, "activation": "relu"}
    return keras.layers.Conv2D(FILTERS, 3, padding="same", **kwargs)


CELL = Operation(lambda key: toy_cell(dict(key.attributes)["dilation"]), (1,), ("dilation",))
register_operations({"toy_cell": CELL})


@dataclasses.dataclass(frozen=True)
class ToySettings:
    """Settings of the toy supernet."""

    cells: int = setting(3, "Cells behind the stem.", limits=AT_LEAST_ONE)


@dataclasses.dataclass(frozen=True)
class ToyGenotype(Genotype):
    """The operations of the cells."""

    cells: tuple[str, ...]


@keras.saving.register_keras_serializable(package="toy")
class ToyNetwork(SegmentationNetwork):
    """Stem, cells and head; the auxiliary head is on the stem."""

    genotype_class = ToyGenotype

    @classmethod
    def make_logits(cls, images, genotype, num_classes, auxiliary_heads, dropout, dtype):
        stem = features = ConvBatchNorm(FILTERS, 3, 2, dtype=dtype, name="stem")(images)
        for index, name in enumerate(genotype.cells):
            features = toy_cell(DILATIONS[name], dtype=dtype, name=f"cell_{index}")(features)
        heads = {cls.prediction: features} | ({"auxiliary": stem} if auxiliary_heads else {})
        for name, each in heads.items():
            heads[name] = Resize(2, dtype="float32")(
                Head(num_classes, dropout=dropout, dtype=dtype, name=name)(each)
            )
        return heads


class ToyArchitecture(keras.layers.Layer):
    """Probabilities of the cells' operations; the least likely is pruned, once."""

    def __init__(self, cells):
        super().__init__()
        self.logits = self.add_weight((cells, len(NAMES)), "zeros")
        self.mask = self.add_weight((cells, len(NAMES)), "ones", trainable=False)

    def probabilities(self):
        return ops.softmax(ops.where(self.mask > 0, self.logits.value, -1e9))

    def prune(self, epoch, logs):
        least = ops.one_hot(ops.argmin(self.probabilities(), axis=-1), len(NAMES))
        self.mask.assign(ops.where(ops.min(self.mask) > 0, 1 - least, self.mask.value))


class ToySearch(SearchModel):
    """Every cell blends its operations by their probabilities."""

    def __init__(self, cells, num_classes, dtype):
        self.num_classes = num_classes
        self.architectures = {STUDENT: ToyArchitecture(cells)}
        images, choices = keras.Input((None, None, 3)), keras.Input(batch_shape=(cells, len(NAMES)))
        features = ConvBatchNorm(FILTERS, 3, 2, dtype=dtype)(images)
        for row in range(cells):
            cells = enumerate(toy_cell(each, dtype=dtype) for each in DILATIONS.values())
            features = sum(choices[row, index] * cell(features) for index, cell in cells)
        self.supernet = keras.Model([images, choices], Head(num_classes, dtype=dtype)(features))

    def evaluation_choices(self, role):
        return {"cells": self.architectures[role].probabilities()}

    def loss(self, images, labels, choices, frozen=False):
        logits = self.supernet([images, choices["cells"]], training=True)
        return ohem_cross_entropy(labels[:, ::2, ::2], logits, class_weights=self.class_weights)

    def predictions(self, images, choices):
        return {"prediction": self.supernet([images, choices["cells"]], training=False)}

    def candidates(self, role):
        best = np.argmax(self.architectures[role].probabilities(), axis=-1)
        return {"prediction": ToyGenotype("toy", tuple(NAMES[index] for index in best))}

    def inherited(self, role, genotype):
        rows = [NAMES.index(name) for name in genotype.cells]
        choices = ops.one_hot(rows, len(NAMES), dtype="float32")
        images = self.supernet.input[0]
        return keras.Model(images, self.supernet([images, choices]))

    def regularization(self):
        return mean_entropy(self.architectures[STUDENT].probabilities())

    def callbacks(self):
        return (keras.callbacks.LambdaCallback(on_epoch_end=self.architectures[STUDENT].prune),)


class ToySpace(SearchSpace):
    """Trains weights and one architecture on one batch, without pretraining."""

    name, families, single_level, pretrains = "toy", ("cells",), True, False
    settings_class, genotype, network = ToySettings, ToyGenotype, ToyNetwork

    def search_model(self, num_classes, seed, dtype="float32"):
        return ToySearch(self.settings.cells, num_classes, dtype)

    def penalty(self, table, num_classes, target_ms, shares="paper"):
        require(target_ms > 0, f"`target_ms` must be positive. Received: target_ms={target_ms}")
        stages = self.stages(ToyGenotype("toy", NAMES), table.metadata.input_size, 1)[1:4]
        costs = np.float32([table.predicted_ms(stage.keys) for stage in stages])
        return lambda choices: ops.sum(choices["cells"] * costs) / target_ms

    def stages(self, genotype, size, num_classes):
        place = size[0] // 2, size[1] // 2, FILTERS
        keys = {"stem": [OpKey("conv_bn_relu_3x3", *size, 3, FILTERS, 2)]}
        for index, name in enumerate(genotype.cells):
            key = OpKey("toy_cell", *place, FILTERS, 1, (("dilation", DILATIONS[name]),))
            keys[f"cell_{index}"] = [key] if DILATIONS[name] else []
        keys["prediction"] = keys["auxiliary"] = [OpKey("head", *place, num_classes, 1)]
        return tuple(Stage(name, tuple(each), name == "auxiliary") for name, each in keys.items())

    def supernet_keys(self, size, num_classes):
        genotype = ToyGenotype("toy", NAMES * self.settings.cells)
        return [key for each in self.stages(genotype, size, num_classes)[:-1] for key in each.keys]

    def random_genotype(self, generator):
        return ToyGenotype("toy", tuple(map(str, generator.choice(NAMES, self.settings.cells))))

    def genes(self):
        return {"cells": (len(NAMES),) * self.settings.cells}

    def from_genes(self, genes):
        return ToyGenotype("toy", tuple(NAMES[index] for index in genes["cells"]))

    def largest_genotype(self, role=STUDENT):
        return ToyGenotype("toy", ("dilated",) * self.settings.cells)
