"""Picture layout of an AutoRTNet-style network: the path that it takes through the resolutions."""

import itertools

from keras_fasterseg.spaces.autortnet.cell_shape import HYPER
from keras_fasterseg.spaces.autortnet.genotype import AutoRTNetGenotype
from keras_fasterseg.spaces.autortnet.stages import AGGREGATION_SCALE, level_channels
from keras_fasterseg.spaces.autortnet.trellis import SCALES
from keras_fasterseg.spaces.cells.cell_graph import FUSION
from keras_fasterseg.spaces.cells.picture import LAST_STEM, Step, lay_out_cells, stem_steps
from keras_fasterseg.spaces.picture import SERVING, BoxKind, Picture


def lay_out(genotype: AutoRTNetGenotype, width: float, serving: bool = False) -> Picture:
    """Lays a network out; see `SearchSpace.picture`. Hyper-cells that do nothing are left out."""
    initial, live = genotype.initial_filters, genotype.live_cells
    stem = stem_steps(level_channels(0, initial))
    cells = [
        Step(
            cell.name,
            f"cell {cell.index}",
            SCALES[shape.output_level],
            level_channels(shape.output_level, initial),
            HYPER,
            cell.operations,
        )
        for cell, shape in live
    ]
    filters = FUSION.nodes * genotype.decoder_filters
    graph = genotype.graph if genotype.level else None
    after = [
        Step("aggregation", "fusion", AGGREGATION_SCALE, filters, graph, genotype.aggregation),
        Step("classifier", "classifier", AGGREGATION_SCALE),
    ]
    if serving:
        after.append(Step(SERVING, SERVING, AGGREGATION_SCALE))
    steps = [*stem, *cells, *after]
    # The last step of every resolution.
    last = {0: LAST_STEM} | {shape.output_level: cell.name for cell, shape in live}
    read = [last[level] for level in genotype.aggregated.values()]
    before = [*stem, *cells]
    chain = itertools.chain(itertools.pairwise(before), itertools.pairwise(after))
    wires = [(one.name, other.name) for one, other in chain]
    wires.append((before[-1].name, "aggregation"))
    fine = [(name, "aggregation") for name in read if name != before[-1].name]
    kinds = {f"cell {cell.index}": BoxKind((str(cell.index),), "#dbe9f4") for cell, _ in live}
    kinds["fusion"] = BoxKind(("fuse",), "#cc79a7")
    return lay_out_cells(steps, wires, fine, kinds, width)
