"""How a tool starts and ends: logging to the terminal, one sentence and a status on failure."""

import os
import sys
from collections.abc import Callable
from logging import WARNING
from typing import Any

# TensorFlow greets with its compile flags at import; errors still come through.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Said explicitly, its default value is no reason for a message.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# TensorFlow's own pool for the CPU grows by doubling and never shrinks.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")

from absl import app, flags, logging

FAILURES = (ValueError, KeyError, OSError, FloatingPointError)


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
        try:
            main()
        except FAILURES as error:
            if flags.FLAGS.debug:
                raise
            _say(_sentence(error))
            return 1
        except KeyboardInterrupt:
            _say("interrupted; the same command goes on with the stage that was not finished")
            return 130
        return 0

    app.run(guarded, flags_parser=_parse)


flags.DEFINE_bool("debug", False, "Show the traceback of a failure.")


def _ours_or_serious(record) -> bool:
    # TensorFlow logs every function that it saves.
    return record.levelno >= WARNING or "keras_fasterseg" in record.pathname


def _parse(arguments: list[str]) -> list[str]:
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        _say(str(error).partition("\n")[0])
        sys.exit(1)


def _sentence(error: BaseException) -> str:
    # A KeyError's text is the repr of its message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__


def _say(sentence: str) -> None:
    print(f"{os.path.basename(sys.argv[0])}: {sentence}", file=sys.stderr)
