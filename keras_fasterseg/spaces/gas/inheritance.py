"""Networks with the weights of a supernet: a derived network before its own training."""

from typing import Any

import keras
import numpy as np

from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.network import GasNetwork
from keras_fasterseg.spaces.gas.supernet import GasSupernet


def inherited_network(supernet: GasSupernet, genotype: GasGenotype) -> keras.Model:
    """Builds the network of `genotype` with copies of the weights of `supernet`.

    It equals the supernet under the one-hot choices of the genotype, unless a node of these has no
    edge. Scales and offsets, which the supernet's cells lack, keep their start of 1 and 0.

    Args:
        supernet: The built supernet.
        genotype: A network of its search space.

    Returns:
        A model of normalised images that predicts logits at the supernet's scale.
    """
    network = GasNetwork(genotype, supernet.num_classes)
    for layer in network.layers:
        if layer.name in supernet.places:
            _inherit(layer, supernet, _operation(layer.name, genotype))
    shared = [*supernet.stem, supernet.classifier]
    shared += supernet.alignments if supernet.is_dense else [supernet.pyramid]
    names = {layer.name for layer in network.layers}
    for layer in shared:
        if layer.name in names:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    return keras.Model(network.input, network.get_layer("classifier").output)


def _operation(name: str, genotype: GasGenotype) -> str | None:
    """Operation on the edge with this layer; None for a preprocessing."""
    cell, kind, number = name.rsplit("_", 2)
    if kind == "input":
        return None
    operations = genotype.fusion if cell == "fusion" else genotype.cells[int(cell.split("_")[1])]
    return operations[int(number)]


def _inherit(layer: keras.layers.Layer, supernet: GasSupernet, operation: str | None) -> None:
    kind, index = supernet.places[layer.name]
    stack = supernet.stacks[kind]
    template: Any = stack.template  # a `MixedCellOp`
    source = template.layers[template.operations[0] if operation is None else operation]
    values = {
        _relative(variable, source): np.asarray(stacked[index])
        for variable, stacked in zip(source.variables, stack.stacked(source.variables), strict=True)
    }
    for variable in layer.variables:
        name = _relative(variable, layer)
        if not name.endswith(("gamma", "beta")):
            variable.assign(values[name])


def _relative(variable: keras.Variable, layer: keras.layers.Layer) -> str:
    return variable.path.rpartition(f"{layer.name}/")[2]
