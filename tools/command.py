"""Start and end of a tool: flags, logging, and one sentence and a status on failure."""

import errno
import importlib.util
import os
import re
import select
import shlex
import sys
from collections.abc import Callable, Iterator
from logging import WARNING, getLogger
from typing import Any

# Only warnings and errors of TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow's own memory pool for the CPU grows by doubling and never shrinks.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
# By default TensorFlow reserves all GPU memory: other runtimes would get none, and memory use
# could not be measured.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

from absl import app, flags, logging

from tools.quiet_import import quiet_import


def _import_on_demand(name: str) -> None:
    """Imports the package without Keras, which `--help` and errors in flags do not need."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    package = importlib.util.module_from_spec(spec)
    vars(package)["ON_DEMAND"] = True
    sys.modules[name] = package
    spec.loader.exec_module(package)


if "keras_fasterseg" not in sys.modules:
    _import_on_demand("keras_fasterseg")
quiet_import("tensorflow")

_RESUMES = "; the same command resumes where it stopped"

_HELP = ("-h", "--h")
# As of a program that SIGPIPE ends.
_SIGPIPE_STATUS = 141
# Another worker was lost: the same command may succeed.
LOST_WORKER_STATUS = os.EX_TEMPFAIL
_FLAGFILE = re.compile("--?flagfile=")

FAILURES = (ValueError, KeyError, OSError, FloatingPointError, MemoryError)


def run(main: Callable[[], Any], left_out: frozenset[str] = frozenset()) -> None:
    """Parses the flags and calls `main`.

    Errors that a user can cause (a wrong value, a missing or faulty file, a full disk) print one
    sentence on standard error and exit with status 1. `--debug` shows their traceback. An
    interruption exits with status 130, a closed standard output (`| head`) with status 141, the
    loss of another worker with 75.
    `--help`, a misspelt flag and a missing flag exit before `main` imports anything.

    Args:
        main: Does the work, and imports the packages for it.
        left_out: Flags that are ignored in a flagfile if the tool does not define them: those of
            other stages, in a flagfile for a complete run.
    """
    parser = _FlagParser(left_out)

    def guarded(arguments: list[str]) -> int:
        if len(arguments) > 1:
            _say(
                f"unexpected argument {arguments[1]!r}; options are flags (--NAME=VALUE), see "
                "--help"
            )
            return 1
        logging.set_verbosity(logging.INFO)
        logging.use_absl_handler()
        logging.get_absl_handler().addFilter(_ours_or_serious)
        # Its own handler logs every file of a SavedModel.
        getLogger("tensorflow").setLevel(WARNING)
        parser.log()
        _keep_to_quota()
        try:
            main()
        except KeyboardInterrupt:
            _say("interrupted" + _RESUMES * ("workdir" in flags.FLAGS))
            return 130
        except Exception as error:
            if flags.FLAGS.debug or not _is_failure(error):
                raise
            _say(_sentence(error))
            return LOST_WORKER_STATUS if isinstance(error, ConnectionError) else 1
        return 0

    try:
        try:
            app.run(guarded, flags_parser=parser.parse)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        if not _is_stdout_closed():
            raise
        # Python would report the rest of the buffer at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_SIGPIPE_STATUS)


def line() -> str:
    """Command line of this process, as a user would type it."""
    *folders, name = sys.argv[0].removesuffix(".py").split(os.sep)
    # Subfolders of the last folder named `tools`, such as `benchmarks`.
    below = folders[::-1].index("tools") if "tools" in folders else 0
    tool = ".".join(["tools", *folders[len(folders) - below :], name])
    return shlex.join(["python", "-m", tool, *sys.argv[1:]])


flags.DEFINE_bool("debug", False, "Show the traceback of an error.")


def _keep_to_quota() -> None:
    """Limits TensorFlow's threads to the CPU quota, which it ignores. Call before its import."""
    from keras_fasterseg.available_cores import available_cores

    cores = available_cores()
    if cores.threads < cores.logical:
        for pool in ("INTRAOP", "INTEROP"):
            os.environ.setdefault(f"TF_NUM_{pool}_THREADS", str(cores.threads))


def _ours_or_serious(record) -> bool:
    # TensorFlow logs every function that it saves, as information.
    ours = "keras_fasterseg" in record.pathname or record.pathname == __file__
    return ours or record.levelno >= WARNING


class _FlagParser:
    """Parses the flags of a tool; a flagfile may also hold flags of other tools.

    Args:
        known: Flags of other tools that are ignored in a flagfile.
    """

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._left_out: list[str] = []

    def parse(self, arguments: list[str]) -> list[str]:
        """Returns the arguments that are not flags; exits where absl would.

        Paths may begin with `~`, in flagfiles too.
        """
        program, *rest = arguments
        rest = ["--help" if each in _HELP else each for each in rest]
        try:
            positional = flags.FLAGS([program, *self._expanded(rest)])
        except SystemExit:
            # After printing the help of one module, absl exits with a failure status. Headings of
            # groups contain a blank, names of modules do not.
            for module in flags.FLAGS.flags_by_module_dict():
                if " " in str(module):
                    print(flags.FLAGS.module_help(module))
            sys.exit(0)
        except flags.Error as error:
            _say(_flag_sentence(error))
            sys.exit(1)
        expand_paths(flags.FLAGS)
        return positional

    def log(self) -> None:
        """Logs which flags were ignored."""
        if self._left_out:
            logging.info(
                "Ignored %d flags of the flagfile that belong to other stages, from %s to %s.",
                len(self._left_out),
                self._left_out[0],
                self._left_out[-1],
            )

    def _expanded(self, arguments: list[str]) -> Iterator[str]:
        remaining = iter(arguments if self._known else ())
        for argument in remaining:
            if argument in ("--flagfile", "-flagfile"):
                argument = f"{argument}={next(remaining, '')}"
            if not _FLAGFILE.match(argument):
                yield argument
                continue
            for each in flags.FLAGS.read_flags_from_files([argument]):
                name = each.lstrip("-").partition("=")[0]
                name = name if name in self._known else name.removeprefix("no")
                if name in self._known and name not in flags.FLAGS:
                    self._left_out.append(f"--{name}")
                else:
                    yield each
        if not self._known:
            yield from arguments


def expand_paths(values: flags.FlagValues) -> None:
    """Replaces a leading `~` by the home folder in all flags that hold strings or lists."""
    for name in values:
        flag = values[name]
        if isinstance(flag.value, str) and flag.value.startswith("~"):
            flag.value = os.path.expanduser(flag.value)
        elif isinstance(flag.value, list):
            flag.value = [
                os.path.expanduser(item) if isinstance(item, str) else item for item in flag.value
            ]


def _flag_sentence(error: flags.Error) -> str:
    sentence = str(error).partition("\n")[0].removeprefix("ERROR:: ")
    if isinstance(error, flags.UnrecognizedFlagError):
        # absl suggests similar spellings, but not `student_epochs` for `epochs`.
        stages = (name.partition("_")[0] for name in flags.FLAGS)
        longer = sorted({f"{stage}_{error.flagname}" for stage in stages} & set(flags.FLAGS))
        if longer:
            sentence = sentence.partition(". Did you mean")[0]
            sentence += f". Did you mean: {', '.join(longer)} ?"
    return sentence


def _is_failure(error: Exception) -> bool:
    """True for errors that a user can cause; others are faults of this package."""
    if isinstance(error, BrokenPipeError) and _is_stdout_closed():
        return False
    if isinstance(error, FAILURES):
        return True
    # TensorFlow is not imported here, so that tools without it start at once.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)


def _is_stdout_closed() -> bool:
    """True if standard output is a pipe that is no longer read, as after `| head`."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(0))


def _sentence(error: Exception) -> str:
    if _is_full_disk(error):
        return (
            f"the disk is full ({_one_line(error)}); make room or choose another folder"
            + _RESUMES * ("workdir" in flags.FLAGS)
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return (
            f"out of memory ({_one_line(error)}); choose a smaller batch size or crop, or leave "
            "out --cache"
        )
    return _one_line(error)


def _is_full_disk(error: Exception) -> bool:
    # HDF5 and TensorFlow report it only in the text of their errors.
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)


def _one_line(error: Exception) -> str:
    # str() of a KeyError is the repr of its message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if not isinstance(error, FAILURES):
        # TensorFlow wraps the sentence of our own reader in its graph and our traceback.
        ours = re.search(r"(?:DataError|ValueError): (.+)", text)
        text = ours[1] if ours else text
    # After the first paragraph, TensorFlow's messages print the graph.
    return " ".join(text.partition("\n\n")[0].split()) or type(error).__name__


def _say(sentence: str) -> None:
    print(f"{os.path.basename(sys.argv[0])}: {sentence}", file=sys.stderr)
