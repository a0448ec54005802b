"""Networks with the weights of a supernet: a derived network before its own training."""

import keras

from keras_fasterseg.spaces.autortnet.genotype import AutoRTNetGenotype, kept_edges
from keras_fasterseg.spaces.autortnet.network import AutoRTNetNetwork
from keras_fasterseg.spaces.autortnet.supernet import AutoRTNetSupernet
from keras_fasterseg.spaces.cells.inheritance import inherit


def inherited_network(supernet: AutoRTNetSupernet, genotype: AutoRTNetGenotype) -> keras.Model:
    """Builds the network of `genotype` with copies of the weights of `supernet`.

    It equals the supernet under the one-hot choices of the genotype.

    Args:
        supernet: The built supernet.
        genotype: A network of its search space.

    Returns:
        A model of normalised images that predicts logits at the supernet's scale.
    """
    network = AutoRTNetNetwork(genotype, supernet.num_classes)
    layers = {layer.name: layer for layer in network.layers}
    for cell, shape in genotype.live_cells:
        place = cell.index, shape.level, cell.state
        sources: dict[str, tuple] = {f"{cell.name}_input": ((*place, "input"), None)}
        for edge, operation in enumerate(cell.operations):
            sources[f"{cell.name}_edge_{edge}"] = (*place, edge), operation
        _inherit_all(layers, supernet, sources)
    if genotype.level:
        edges = zip(kept_edges(genotype.graph), genotype.aggregation, strict=True)
        _inherit_all(
            layers,
            supernet,
            {
                f"aggregation_edge_{number}": (("aggregation", edge), operation)
                for number, (edge, operation) in enumerate(edges)
            },
        )
    for layer in [*supernet.stem, *supernet.alignments, supernet.classifier]:
        if layer.name in layers:
            layers[layer.name].set_weights(layer.get_weights())
    return keras.Model(network.input, network.get_layer("classifier").output)


def _inherit_all(layers, supernet: AutoRTNetSupernet, sources: dict[str, tuple]) -> None:
    for name, (place, operation) in sources.items():
        if name in layers:
            kind, index = supernet.mixed.places[place]
            inherit(layers[name], supernet.stacks[kind], index, operation)
