"""Picture layout of a GAS-style network; in the graph of a cell, the older input is above."""

import itertools

from keras_fasterseg.spaces.cells.cell_graph import CELL, FUSION
from keras_fasterseg.spaces.cells.picture import LAST_STEM, Step, lay_out_cells, stem_steps
from keras_fasterseg.spaces.gas.genotype import GasGenotype
from keras_fasterseg.spaces.gas.plan import STEM, fused_cells
from keras_fasterseg.spaces.picture import SERVING, BoxKind, Picture


def lay_out(genotype: GasGenotype, width: float, serving: bool = False) -> Picture:
    """Lays a network out; see `SearchSpace.picture`."""
    live, fused = genotype.live_cells, list(genotype.fused.values())
    stem = stem_steps(CELL.nodes * genotype.initial_filters)
    cells = [
        Step(
            plan.name,
            f"cell {plan.index}",
            plan.scale,
            CELL.nodes * plan.filters,
            CELL,
            genotype.cells[plan.index],
        )
        for plan in live
    ]
    if genotype.fusion:
        end = fused_cells(genotype.plans)[1].scale
        filters = FUSION.nodes * genotype.decoder_filters
        decoder = Step("fusion", "fusion", end, filters, FUSION, genotype.fusion)
    else:
        end = live[-1].scale
        decoder = Step("pyramid", "pyramid", end, genotype.decoder_filters)
    after = [decoder, Step("classifier", "classifier", end)]
    if serving:
        after.append(Step(SERVING, SERVING, end))
    wires = [(one.name, other.name) for one, other in itertools.pairwise(stem)]
    for plan in live:
        number = CELL.used_inputs(genotype.cells[plan.index])[-1]
        source = plan.inputs[number].source
        wires.append((LAST_STEM if source == STEM else f"cell_{source}", plan.name))
    wires.append((fused[-1].name, decoder.name))
    wires += [(one.name, other.name) for one, other in itertools.pairwise(after)]
    kinds = {f"cell {plan.index}": BoxKind((str(plan.index),), "#dbe9f4") for plan in live}
    kinds |= {
        "pyramid": BoxKind(("aspp",), "#cc79a7"),
        "fusion": BoxKind(("fuse",), "#cc79a7"),
    }
    fine = [(plan.name, decoder.name) for plan in fused[:-1]]
    return lay_out_cells([*stem, *cells, *after], wires, fine, kinds, width)
