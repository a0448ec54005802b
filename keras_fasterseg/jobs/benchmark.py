"""Job: measure the frame rate of artefacts on this device."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from keras_fasterseg.benchmark.environment import device_kind
from keras_fasterseg.benchmark.harness import BenchmarkResult, InterleavedResult, interleaved
from keras_fasterseg.benchmark.load import check_load
from keras_fasterseg.benchmark.matrix_peak import best_peak, measure_matrix_peak, prepare_threads
from keras_fasterseg.benchmark.memory import MemoryTask, measure_memory
from keras_fasterseg.benchmark.report import BenchmarkReport
from keras_fasterseg.benchmark.scopes import find_scope
from keras_fasterseg.export.proof import read_proof
from keras_fasterseg.files import PathLike
from keras_fasterseg.run.artefacts import is_network, open_artefact
from keras_fasterseg.run.run import Run
from keras_fasterseg.runtimes.base import Runner, metadata_genotype
from keras_fasterseg.runtimes.registry import check_runtime
from keras_fasterseg.setting import Size, check_settings, require
from keras_fasterseg.settings.benchmark_options import BenchmarkOptions
from keras_fasterseg.settings.stages import BenchmarkSettings
from keras_fasterseg.spaces.cost import network_work

# For the benchmark of a run: memory is not measured, which takes a process and seconds, and other
# programs' load must not end days of training with an error.
RUN_OPTIONS = BenchmarkOptions(memory=False, allow_load=True)


@dataclasses.dataclass(frozen=True)
class Contender:
    """An artefact to measure, and its runtime.

    Attributes:
        artefact: An export, a network's file or a genotype; see `open_artefact`.
        runtime: Name of the runtime; `None` uses that of the artefact's format.
    """

    artefact: PathLike
    runtime: str | None = None


def benchmark(
    artefact: PathLike, settings: BenchmarkSettings, options: BenchmarkOptions = RUN_OPTIONS
) -> BenchmarkResult:
    """Measures one artefact on the runtime of its format.

    Raises:
        FileNotFoundError: The artefact does not exist.
        ValueError: It is not an artefact of this package, or a setting is out of range.
    """
    report = benchmark_in_turns([Contender(artefact)], settings, options=options)
    (result,) = report.tables[0].results.values()
    return result


def benchmark_in_turns(
    contenders: Sequence[Contender],
    settings: BenchmarkSettings,
    input_sizes: Sequence[Size] = (),
    options: BenchmarkOptions = RUN_OPTIONS,
    command: str | None = None,
    progress: bool = False,
) -> BenchmarkReport:
    """Measures all contenders at all sizes; at each size they take turns, round by round.

    Args:
        contenders: Artefacts and runtimes. The first is the baseline of the speedups.
        settings: Repetitions and batch size, and the input size if `input_sizes` is empty.
        input_sizes: Heights and widths of images.
        options: Scope of the timing, and additional measurements.
        command: The command line, for the record.
        progress: Whether to show progress bars.

    Raises:
        FileNotFoundError: An artefact or the image does not exist.
        RuntimeNotInstalledError: A runtime is not installed.
        ValueError: An artefact is not one of this package, a runtime is unknown, `contenders` is
            empty, a setting is out of range, or other programs keep the machine busy.
    """
    require(bool(contenders), "Nothing to measure; give at least one artefact.")
    sizes = tuple(input_sizes) or (settings.input_size,)
    check_settings(options)
    for size in sizes:
        check_settings(dataclasses.replace(settings, input_size=size))
    for contender in contenders:
        if contender.runtime is not None:
            check_runtime(contender.runtime)
    check_load(options.allow_load)
    # Building or converting a network starts TensorFlow, which then keeps its number of threads.
    prepare_threads(options.threads)
    tables = [
        _measure(
            contenders,
            dataclasses.replace(settings, input_size=size),
            options,
            command,
            f"{size[0]}x{size[1]}" if progress else None,
        )
        for size in sizes
    ]
    return BenchmarkReport(tuple(tables), command)


def fixed_shape(
    contenders: Sequence[Contender], threads: int | None = None
) -> tuple[int | None, Size | None]:
    """Fixed batch size and image size of the exports among `contenders`.

    Args:
        contenders: Artefacts and runtimes.
        threads: CPU threads of every runtime; some runtimes accept the number only once.

    Returns:
        Images per call, and height and width; each is None if all artefacts accept any.

    Raises:
        FileNotFoundError: An artefact does not exist.
        ValueError: An artefact is not one of this package, or two have different fixed sizes.
    """
    batches: dict[Any, Contender] = {}
    sizes: dict[Any, Contender] = {}
    for contender in contenders:
        # A network is converted for the size at which it is measured.
        if not is_network(contender.artefact):
            runner = open_artefact(contender.artefact, contender.runtime, threads=threads)
            batches.setdefault(runner.batch_size, contender)
            sizes.setdefault(runner.input_size, contender)
    for found in (batches, sizes):
        found.pop(None, None)
        if len(found) > 1:
            each = " and ".join(f"{one.artefact} for {_spelled(it)}" for it, one in found.items())
            raise ValueError(
                f"Artefacts that are measured in turns must have the same size: {each}; export "
                "them for one size."
            )
    return next(iter(batches), None), next(iter(sizes), None)


def network_macs(metadata: Mapping[str, Any], input_size: Size) -> int | None:
    """Multiply-accumulates per image of the genotype in `metadata`; `None` without a genotype.

    They are counted at the size padded to multiples of 32, at which the network runs.
    """
    genotype, num_classes = metadata_genotype(metadata), metadata.get("num_classes")
    if genotype is None or not isinstance(num_classes, int):
        return None
    return network_work(genotype, input_size, num_classes).macs


def _measure(
    contenders: Sequence[Contender],
    settings: BenchmarkSettings,
    options: BenchmarkOptions,
    command: str | None,
    progress: str | None,
) -> InterleavedResult:
    """Measures all contenders at one size."""
    opened = [_opener(contender, settings, options)() for contender in contenders]
    names = _names(contenders, opened)
    runners = dict(zip(names, opened, strict=True))
    before = _peaks(opened, options)
    measured = interleaved(
        runners,
        input_size=settings.input_size,
        batch_size=settings.batch_size,
        warmup=settings.warmup,
        min_repetitions=settings.repetitions,
        min_seconds=settings.seconds,
        scope=options.scope,
        image=options.image,
        pause_ms=options.pause_ms,
        settle_ms=options.settle_ms,
        progress=progress,
    )
    # A machine that shares its cores with others is slower at times: the best value counts.
    after = _peaks(opened, options)
    results = {}
    for name, contender, runner in zip(names, contenders, opened, strict=True):
        result = measured.results[name]
        # Converting a network needs more memory than running the result, so the result is measured.
        alone = Contender(getattr(runner, "path", contender.artefact), contender.runtime)
        proof = read_proof(runner.metadata)
        kind = _kind(runner)
        peak = best_peak(before.get(kind), after.get(kind))
        results[name] = dataclasses.replace(
            result,
            artefact=str(contender.artefact),
            proof=None if proof is None else proof.line(),
            macs=network_macs(runner.metadata, settings.input_size),
            peak_macs_per_second=None if peak is None else peak.macs_per_second,
            command=command,
            **_memory(name, _opener(alone, settings, options), settings, options),
        )
    return dataclasses.replace(measured, results=results)


def _opener(contender: Contender, settings: BenchmarkSettings, options: BenchmarkOptions) -> Any:
    # A partial function, because it is sent to another process.
    return functools.partial(
        open_artefact,
        contender.artefact,
        contender.runtime,
        threads=options.threads,
        input_size=settings.input_size,
        batch_size=settings.batch_size,
        num_classes=options.num_classes,
        outputs=find_scope(options.scope).output,
    )


def _spelled(size: int | Size) -> str:
    return f"batches of {size}" if isinstance(size, int) else "x".join(map(str, size))


def _names(contenders: Sequence[Contender], runners: Sequence[Runner]) -> list[str]:
    """Names of the contenders: the runtime, plus the artefact if there are several."""
    several = len({str(contender.artefact) for contender in contenders}) > 1
    names: list[str] = []
    for contender, runner in zip(contenders, runners, strict=True):
        runtime = contender.runtime or str(runner.describe()["runtime"])
        name = f"{contender.artefact} ({runtime})" if several else runtime
        again = sum(each == name or each.startswith(f"{name} #") for each in names)
        names.append(f"{name} #{again + 1}" if again else name)
    return names


def _peaks(runners: Sequence[Runner], options: BenchmarkOptions) -> dict[str, Any]:
    if not options.peak:
        return {}
    kinds = dict.fromkeys(map(_kind, runners))
    return {kind: measure_matrix_peak(kind, options.threads) for kind in kinds}


def _kind(runner: Runner) -> str:
    return device_kind(runner.describe().get("device"))


def _memory(
    name: str, opener: Any, settings: BenchmarkSettings, options: BenchmarkOptions
) -> dict[str, float | None]:
    if not options.memory:
        return {}
    task = MemoryTask(opener, settings.input_size, settings.batch_size, options.scope)
    try:
        use = measure_memory(task)
    except RuntimeError as error:
        # The times are useful without it.
        logging.warning("The memory use of %s could not be measured. %s", name, error)
        return {}
    return {
        "memory_before_mib": use.before_mib,
        "memory_peak_mib": use.peak_mib,
        "memory_gpu_mib": use.gpu_mib,
    }


def benchmark_stage(run: Run, settings: BenchmarkSettings, roles: Sequence[str]) -> pathlib.Path:
    """Measures the SavedModels of `roles` into `benchmark/ROLE.json`; returns the folder.

    Raises:
        OSError: The stage export is not finished, or the folder cannot be written.
    """
    depends = run.workdir.recorded("export")
    if depends is None:
        raise FileNotFoundError(
            f"{run.path} has no finished stage export; finish it with tools.run_all."
        )
    ids = {role: depends[f"{role}_genotype"] for role in roles}

    def measure_all(folder: pathlib.Path) -> None:
        for role in roles:
            benchmark(run.path / "export" / role / "1", settings).save(folder / f"{role}.json")

    return run.workdir.stage(
        "benchmark",
        {"benchmark": settings, "genotypes": ids},
        measure_all,
        inputs=run.networks(roles),
    )
