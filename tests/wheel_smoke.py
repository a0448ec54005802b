"""Smoke test of the installed wheel, outside the checkout; `make wheel` runs it.

It imports nothing from the checkout. It runs in an environment that has only the wheel and its
dependencies.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys


def main() -> None:
    for name in ("tools", "flags", "tests"):
        assert importlib.util.find_spec(name) is None, f"the wheel brings a top-level {name}"

    import keras
    import numpy as np

    from keras_fasterseg import Segmenter, __version__

    images = np.random.default_rng(0).integers(0, 256, (2, 45, 70, 3), np.uint8)
    segmenter = Segmenter.from_preset("fasterseg_student", num_classes=11)
    class_ids = segmenter.segment(images)
    assert class_ids.shape == (2, 45, 70)
    assert class_ids.dtype == np.uint8
    segmenter.save("segmenter.keras")
    loaded = keras.models.load_model("segmenter.keras")
    np.testing.assert_array_equal(loaded(images), segmenter(images))

    command = pathlib.Path(sys.executable).with_name("keras_fasterseg")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}

    def run(*arguments: str) -> str:
        finished = subprocess.run(
            [command, *arguments], check=True, capture_output=True, text=True, env=environment
        )
        return finished.stdout

    usage = run()
    assert "run_all" in usage
    presets = [line.strip() for line in usage.splitlines() if line.endswith(".flags")]
    assert presets
    assert all(pathlib.Path(preset).is_file() for preset in presets)
    description = json.loads(run("describe", "--genotype=fasterseg_student", "--json"))
    assert description["parameters_inference"] == 3_421_875
    sys.stdout.write(f"The wheel of keras_fasterseg {__version__} works in an empty environment.\n")


if __name__ == "__main__":
    main()
