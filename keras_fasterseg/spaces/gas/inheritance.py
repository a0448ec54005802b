"""Networks with the weights of a supernet: a derived network before its own training."""

import keras

from keras_fasterseg.spaces.cells.inheritance import inherit
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
        if layer.name in supernet.mixed.places:
            kind, index = supernet.mixed.places[layer.name]
            inherit(layer, supernet.stacks[kind], index, _operation(layer.name, genotype))
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
