import keras
import pytest

from keras_fasterseg.files import read_json
from keras_fasterseg.spaces.fasterseg.network import FasterSegNetwork
from tests.tools.export_test import GENOTYPE
from tests.tools.maintenance.markdown_rows import rows
from tests.tools.run_tool import run_tool, sentence
from tools.maintenance.export_table import export_markdown


@pytest.mark.slow
def test_every_format_and_precision_is_proven_and_can_be_timed(tmp_path):
    pytest.importorskip("openvino")
    keras.utils.set_random_seed(0)
    FasterSegNetwork(GENOTYPE, 19).save(tmp_path / "network.keras")
    finished = run_tool(
        "benchmarks.exports",
        f"--network={tmp_path}/network.keras",
        f"--target={tmp_path}/exports",
        *("--input_size=64x96", "--proof_images=1"),
    )
    assert finished.status == 0, finished
    *proofs, benchmark = finished.stdout.splitlines()
    made = [line.partition(":")[0] for line in proofs]
    # Random weights may miss the share of equal labels that half precision must have.
    assert {"saved_model_fp32", "onnx_fp32", "openvino_fp32", "litert_fp32"} <= set(made)
    assert not any("int8" in name for name in made)
    _, _, tool, *arguments = benchmark.split()
    short = ("--repetitions=2", "--seconds=0", "--nopeak", "--threads=1", "--allow_load")
    finished = run_tool(tool.removeprefix("tools."), *arguments, *short)
    assert finished.status == 0, finished
    results = read_json(tmp_path / "exports" / "speed.json")["results"]
    assert len(results) == len(made)
    folders = [tmp_path / "exports" / name for name in made]
    table = rows(export_markdown(folders, [tmp_path / "exports" / "speed.json"]))[1:]
    assert all(row[-1] for row in table)


def test_a_network_that_is_not_there(tmp_path):
    finished = run_tool("benchmarks.exports", "--network=gone.keras", f"--target={tmp_path}/e")
    assert "gone.keras" in sentence(finished)
