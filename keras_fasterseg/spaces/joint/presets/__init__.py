"""The published network of the joint space as a genotype.

Blocks, widths, dilations and pooling are those of the published network (Ye et al., IJCV 2022,
https://arxiv.org/abs/2208.05271).
"""

import pathlib

_FOLDER = pathlib.Path(__file__).resolve().parent


def preset_files() -> dict[str, pathlib.Path]:
    """Files of the genotypes, by name."""
    return {path.stem: path for path in _FOLDER.glob("*.json")}
