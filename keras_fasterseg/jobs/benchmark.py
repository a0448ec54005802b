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

# A run measures its networks in passing: memory takes a process and seconds of its own, and days of
# training do not end in an error for what else the machine does.
RUN_OPTIONS = BenchmarkOptions(memory=False, allow_load=True)


@dataclasses.dataclass(frozen=True)
class Contender:
    """Artefacts that take part.

    Attributes:
        artefact: What `open_artefact` opens: an export, a network's file or a genotype.
        runtime: What runs it; `None` takes the artefact's own.
    """

    artefact: PathLike
    runtime: str | None = None


def benchmark(
    artefact: PathLike, settings: BenchmarkSettings, options: BenchmarkOptions = RUN_OPTIONS
) -> BenchmarkResult:
    """Measures one artefact on its own runtime.

    Raises:
        FileNotFoundError: There is no such artefact.
        ValueError: It is none of ours, or a setting is out of its range.
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
    """Measures all contenders at all sizes; those of one size take turns, round by round.

    Args:
        contenders: The first is what the speedups refer to.
        settings: Repetitions and batch size, and the input size if none is given besides.
        input_sizes: Heights and widths of images.
        options: What is timed and measured.
        command: The command line, for the record.
        progress: Whether there are progress bars.

    Raises:
        FileNotFoundError: There is no such artefact or image.
        RuntimeNotInstalledError: A runtime is not there.
        ValueError: An artefact is none of ours, there is no such runtime, no contender, a setting
            is out of its range, or other programs keep the machine busy.
    """
    require(bool(contenders), "There is nothing to measure; name an artefact and a runtime.")
    sizes = tuple(input_sizes) or (settings.input_size,)
    check_settings(options)
    for size in sizes:
        check_settings(dataclasses.replace(settings, input_size=size))
    for contender in contenders:
        if contender.runtime is not None:
            check_runtime(contender.runtime)
    check_load(options.allow_load)
    # Whoever builds or converts a network lets TensorFlow start, and it keeps the threads that it
    # has then.
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
    """The batch size and the image size that exports among `contenders` are made for.

    Args:
        contenders: Artefacts that take part.
        threads: CPU threads of every runtime, which some can be told but once.

    Returns:
        Images a call, and height and width; None where all of them take any.

    Raises:
        FileNotFoundError: There is no such artefact.
        ValueError: An artefact is none of ours, or two are made for different sizes.
    """
    batches: dict[Any, Contender] = {}
    sizes: dict[Any, Contender] = {}
    for contender in contenders:
        # A network is converted for the size that it is measured at.
        if not is_network(contender.artefact):
            runner = open_artefact(contender.artefact, contender.runtime, threads=threads)
            batches.setdefault(runner.batch_size, contender)
            sizes.setdefault(runner.input_size, contender)
    for found in (batches, sizes):
        found.pop(None, None)
        if len(found) > 1:
            each = " and ".join(f"{one.artefact} for {_spelled(it)}" for it, one in found.items())
            raise ValueError(
                f"Artefacts of different sizes take no turns: {each}; export them for one size."
            )
    return next(iter(batches), None), next(iter(sizes), None)


def network_macs(metadata: Mapping[str, Any], input_size: Size) -> int | None:
    """Multiply-accumulates of one image by the genotype in `metadata`; `None` if it has none.

    Counted at the size padded to multiples of 32, which is what really runs.
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
    """Measures at one size."""
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
    # A machine that shares its cores with others is slower at times: its best counts.
    after = _peaks(opened, options)
    results = {}
    for name, contender, runner in zip(names, contenders, opened, strict=True):
        result = measured.results[name]
        # A network was converted on the way, which takes more memory than to run what came of it.
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
    # A partial function, which another process can be sent.
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
    """A name for each: its runtime, with its artefact where there are several."""
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
        # The times are worth having without it.
        logging.warning("The memory of %s is unknown. %s", name, error)
        return {}
    return {
        "memory_before_mib": use.before_mib,
        "memory_peak_mib": use.peak_mib,
        "memory_gpu_mib": use.gpu_mib,
    }


def benchmark_stage(run: Run, settings: BenchmarkSettings, roles: Sequence[str]) -> pathlib.Path:
    """Measures the SavedModels of `roles` into `benchmark/ROLE.json`; returns the folder.

    Raises:
        OSError: Nothing is exported, or the folder cannot be written.
    """
    depends = run.workdir.recorded("export")
    if depends is None:
        raise FileNotFoundError(f"{run.path} has no finished stage export.")
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
