import subprocess
import sys

from tools import dispatch

ROOT = dispatch.__file__.rpartition("/tools/")[0]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def test_tensorflow_comes_in_silence_with_its_fast_operations_on():
    code = """
from tools import command
import keras, tensorflow as tf
from tensorflow.python.util import _pywrap_util_port
print(float(tf.reduce_sum(tf.ones((3, 3)))), _pywrap_util_port.IsMklEnabled())
"""
    finished = run(code)
    assert finished.stderr == ""
    assert finished.stdout == "9.0 True\n"


def test_all_but_greetings_comes_through_in_order():
    code = """
import os, sys
from tools.quiet_import import without_greetings
print("before", file=sys.stderr)
with without_greetings():
    os.write(2, b"I0000 00:00:17.3 1 port.cc:153] oneDNN is on\\nW0000 00:00 a.cc:1] a warning\\n")
    os.write(2, b"2026-01-01 00:00:00.1: I tensorflow/a.cc:1] told\\nE0000 00:00 b.cc:1] an er")
    os.write(2, b"ror\\nnot ended")
print(", after", file=sys.stderr)
"""
    finished = run(code)
    assert finished.stderr == (
        "before\nW0000 00:00 a.cc:1] a warning\nE0000 00:00 b.cc:1] an error\nnot ended, after\n"
    )


def test_an_import_that_fails_or_crashes_keeps_its_last_words(tmp_path):
    for name, end in (("fails", "raise OSError('no library')"), ("crashes", "os.abort()")):
        (tmp_path / f"{name}.py").write_text(f"import os\nos.write(2, b'last words\\n')\n{end}\n")
    setup = (
        "import sys; from tools.quiet_import import quiet_import; sys.path.insert(0, sys.argv[1])"
    )
    results = {}
    for name in ("fails", "crashes"):
        results[name] = subprocess.run(
            [sys.executable, "-c", f"{setup}; quiet_import({name!r}); import {name}", tmp_path],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert results["fails"].stderr.startswith("last words\nTraceback")
    assert results["fails"].stderr.endswith("OSError: no library\n")
    assert results["crashes"].stderr == "last words\n"
    assert results["crashes"].returncode == -6
