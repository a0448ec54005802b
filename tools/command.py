"""How a tool starts and ends: logging to the terminal, one sentence and a status on failure."""

import errno
import importlib.util
import os
import re
import shlex
import sys
from collections.abc import Callable
from logging import WARNING, getLogger
from typing import Any

# TensorFlow greets with its compile flags at import; errors still come through.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Said explicitly, its default value is no reason for a message.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# TensorFlow's own pool for the CPU grows by doubling and never shrinks.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
# A GPU that TensorFlow takes whole leaves nothing to the runtimes beside it, or to be measured.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

from absl import app, flags, logging


def _import_on_demand(name: str) -> None:
    """Imports the package without Keras, which `--help` and a typo do not need."""
    spec = importlib.util.find_spec(name)
    package = importlib.util.module_from_spec(spec)
    package.ON_DEMAND = True
    sys.modules[name] = package
    spec.loader.exec_module(package)


if "keras_fasterseg" not in sys.modules:
    _import_on_demand("keras_fasterseg")

_GOES_ON = "; the same command goes on where it was stopped"

_HELP = ("-h", "--h", "help")

FAILURES = (ValueError, KeyError, OSError, FloatingPointError, MemoryError)


def run(main: Callable[[], Any]) -> None:
    """Parses the flags and calls `main`.

    What a user can cause (a wrong value, a missing or faulty file, a full disk) ends in one
    sentence on standard error and status 1, an interruption in status 130. `--debug` shows the
    traceback.
    """

    def guarded(arguments: list[str]) -> int:
        if len(arguments) > 1:
            _say(f"unexpected argument {arguments[1]!r}: every option is a flag, see --help")
            return 1
        logging.set_verbosity(logging.INFO)
        logging.use_absl_handler()
        logging.get_absl_handler().addFilter(_ours_or_serious)
        # It has a handler of its own, which tells every file of a SavedModel.
        getLogger("tensorflow").setLevel(WARNING)
        try:
            main()
        except KeyboardInterrupt:
            _say("interrupted" + _GOES_ON * ("workdir" in flags.FLAGS))
            return 130
        except Exception as error:
            if flags.FLAGS.debug or not _is_failure(error):
                raise
            _say(_sentence(error))
            return 1
        return 0

    app.run(guarded, flags_parser=_parse)


def line() -> str:
    """The command of this process, as a user would write it."""
    *folders, name = sys.argv[0].removesuffix(".py").split(os.sep)
    # Those below the last folder of that name, such as `benchmarks`.
    below = folders[::-1].index("tools") if "tools" in folders else 0
    tool = ".".join(["tools", *folders[len(folders) - below :], name])
    return shlex.join(["python", "-m", tool, *sys.argv[1:]])


flags.DEFINE_bool("debug", False, "Show the traceback of a failure.")


def _ours_or_serious(record) -> bool:
    # TensorFlow logs every function that it saves.
    return record.levelno >= WARNING or "keras_fasterseg" in record.pathname


def _parse(arguments: list[str]) -> list[str]:
    program, *rest = arguments
    try:
        return flags.FLAGS([program, *("--help" if each in _HELP else each for each in rest)])
    except SystemExit:
        # absl ends with a failure after it has shown its help.
        sys.exit(0)
    except flags.Error as error:
        _say(str(error).partition("\n")[0].removeprefix("ERROR:: "))
        sys.exit(1)


def _is_failure(error: Exception) -> bool:
    """Whether it is of a kind that a user can cause; others are faults of this package."""
    if isinstance(error, FAILURES):
        return True
    # TensorFlow is not imported here: a tool that does without it starts at once.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)


def _sentence(error: Exception) -> str:
    if _is_full_disk(error):
        return (
            f"the disk is full ({_one_line(error)}); make room or choose another folder"
            + _GOES_ON * ("workdir" in flags.FLAGS)
        )
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return (
            f"out of memory ({_one_line(error)}); choose a smaller batch size or crop, or leave "
            "out --cache"
        )
    return _one_line(error)


def _is_full_disk(error: Exception) -> bool:
    # HDF5 and TensorFlow tell it by their text alone.
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)


def _one_line(error: Exception) -> str:
    # A KeyError's text is the repr of its message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if not isinstance(error, FAILURES):
        # TensorFlow wraps the sentence of our own reader into its graph and our traceback.
        ours = re.search(r"(?:DataError|ValueError): (.+)", text)
        text = ours[1] if ours else text
    # What follows the first paragraph of TensorFlow's messages is its graph.
    return " ".join(text.partition("\n\n")[0].split()) or type(error).__name__


def _say(sentence: str) -> None:
    print(f"{os.path.basename(sys.argv[0])}: {sentence}", file=sys.stderr)
