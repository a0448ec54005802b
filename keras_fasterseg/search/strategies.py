"""Strategies that choose networks by scores or costs, without architecture parameters."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_fasterseg.search.candidates import Candidate
from keras_fasterseg.setting import require
from keras_fasterseg.spaces.base import SearchSpace
from keras_fasterseg.spaces.genotype import Genotype

Band = tuple[float, float]

_DRAWS = 2000
_TRIALS_PER_NETWORK = 20


def evolution(
    space: SearchSpace,
    score: Callable[[Genotype], Candidate],
    networks: int,
    population: int,
    seed: int,
) -> list[Candidate]:
    """Evolves the Pareto front of mIoU and latency, for all frame rates.

    The first population is random, small and large networks alike. Every network depends only on
    the seed and the scores before it: a repeated evolution with the same scores is the same.

    Args:
        space: The search space.
        score: Scores a network.
        networks: Number of different networks to score. Fewer, if evolution finds no others.
        population: Size of a generation.
        seed: Seed of the evolution.

    Returns:
        The scored networks, in order.

    Raises:
        ValueError: Optuna is not installed.

    Reference:
        NSGA-II (Deb et al., 2002), as implemented by Optuna (https://optuna.org).
    """
    try:
        import optuna
    except ImportError as error:
        raise ValueError(
            "The strategy evolution needs Optuna. Install it with `pip install optuna`."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=("maximize", "minimize"))
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        _name(family, index): optuna.distributions.CategoricalDistribution(range(options))
        for family, counts in space.genes().items()
        for index, options in enumerate(counts)
    }
    generator = np.random.default_rng(seed)
    for _ in range(population):
        study.enqueue_trial(
            {
                _name(family, index): value
                for family, values in space.random_genes(generator).items()
                for index, value in enumerate(values)
            }
        )
    found: dict[str, Candidate] = {}
    for _ in range(_TRIALS_PER_NETWORK * networks):
        # A seed per trial: networks of a resumed evolution do not depend on where it stopped.
        study.sampler = optuna.samplers.NSGAIISampler(
            population_size=population, seed=int(generator.integers(2**31))
        )
        trial = study.ask(distributions)
        genes = {
            family: [trial.params[_name(family, index)] for index in range(len(counts))]
            for family, counts in space.genes().items()
        }
        genotype = space.from_genes(genes)
        candidate = found[genotype.id] = found.get(genotype.id) or score(genotype)
        study.tell(trial, [float(np.nan_to_num(candidate.miou)), candidate.latency_ms or 0.0])
        if len(found) == networks:
            break
    return list(found.values())


def random_networks(
    space: SearchSpace,
    latency_ms: Callable[[Genotype], float],
    band: Band,
    networks: int,
    seed: int,
) -> list[Genotype]:
    """Draws different random networks inside a band of frame rates.

    Raises:
        ValueError: No network of many is inside the band.
    """
    found: dict[str, Genotype] = {}
    for genotype in _inside(space, latency_ms, band, seed, max(_DRAWS, 20 * networks)):
        found[genotype.id] = genotype
        if len(found) == networks:
            break
    return list(found.values())


def most_expensive(
    space: SearchSpace,
    latency_ms: Callable[[Genotype], float],
    cost: Callable[[Genotype], Any],
    band: Band,
    seed: int,
) -> Genotype:
    """The random network of the highest cost, such as MACs, inside a band of frame rates.

    Raises:
        ValueError: No network of many is inside the band.
    """
    return max(_inside(space, latency_ms, band, seed, _DRAWS), key=cost)


def _inside(
    space: SearchSpace,
    latency_ms: Callable[[Genotype], float],
    band: Band,
    seed: int,
    draws: int,
) -> Iterator[Genotype]:
    generator = np.random.default_rng(seed)
    some = False
    for _ in range(draws):
        genotype = space.random_genotype(generator)
        if band[0] <= 1000.0 / latency_ms(genotype) <= band[1]:
            some = True
            yield genotype
    require(
        some,
        f"None of {draws} random networks is predicted to run at {band[0]:g} to {band[1]:g} FPS. "
        "Set another --search_min_fps and --search_max_fps.",
    )


def _name(family: str, index: int) -> str:
    return f"{family}_{index}"
