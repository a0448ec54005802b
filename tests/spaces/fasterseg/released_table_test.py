import json

import pytest

from keras_fasterseg.latency.op_key import OpKey
from keras_fasterseg.spaces.fasterseg.released_table import is_released_table, load_released_table
from tests.shared import FIXTURES
from tests.spaces.fasterseg.released_costs import node_filters, released_table, stem_ms


def _released():
    text = (FIXTURES / "latency_1080ti_trt5.json").read_text()
    return json.loads(text)["table"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (
            "BasicResidual1x_H128_W256_Cin32_Cout160_stride2_dilation1",
            "conv:128x256:32->160/2",
        ),
        (
            "BasicResidual2x_H512_W1024_Cin32_Cout64_stride2_dilation1",
            "conv_2x:512x1024:32->64/2",
        ),
        (
            "BasicResidual_downup_1x_H128_W256_Cin32_Cout48_stride1_dilation1",
            "conv_downup:128x256:32->48/1",
        ),
        (
            "BasicResidual_downup_2x_H32_W64_Cin128_Cout128_stride1_dilation1",
            "conv_2x_downup:32x64:128->128/1",
        ),
        ("FactorizedReduce_H128_W256_Cin32_Cout192_stride2", "skip:128x256:32->192/2"),
        (
            "ConvNorm_H32_W64_Cin256_Cout128_kernel1_stride1",
            "conv_bn_relu_1x1:32x64:256->128/1",
        ),
        (
            "ConvNorm_H1024_W2048_Cin3_Cout32_kernel3_stride2",
            "conv_bn_relu_3x3:1024x2048:3->32/2",
        ),
        ("ff_H128_W256_C128", "fusion:128x256:128->128/1"),
        ("head_H128_W256_Cin128_Cout19", "head:128x256:128->19/1"),
    ],
)
def test_released_names_become_keys(name, key):
    assert released_table()[OpKey.parse(key)].latency_ms == _released()[name]


def test_every_released_row_is_kept():
    table = released_table()
    assert sorted(row.latency_ms for row in table.values()) == sorted(_released().values())
    assert table.metadata.input_size == (1024, 2048)


def test_the_published_student_costs_what_its_authors_state():
    """Golden numbers: 5.702 ms by its own rows, 6.414 ms as the released code charges."""
    student = json.loads((FIXTURES / "genotype_student.json").read_text())
    own, charged = released_table(), released_table(reference_quirks=True)
    assert _network_ms(own, student) == pytest.approx(5.701835681642834, abs=1e-9)
    assert _network_ms(charged, student) == pytest.approx(6.413977051133728, abs=1e-9)


def _network_ms(table, genotype):
    """Stem, cells and decoder of a network with the branches /32 and /16."""
    head = genotype["stem_head_width"][1]
    eighth, sixteenth, half = (node_filters(scale, head) for scale in (8, 16, 32))
    cells = [
        OpKey(
            cell["op"],
            1024 // cell["scale_in"],
            2048 // cell["scale_in"],
            cell["C_in"],
            cell["C_out"],
            cell["stride"],
        )
        for cell in genotype["cells"]
    ]
    decoder = [
        OpKey("conv_bn_relu_1x1", 32, 64, half, sixteenth, 1),
        OpKey("conv_bn_relu_3x3", 64, 128, sixteenth + genotype["ch_16"], sixteenth, 1),
        OpKey("conv_bn_relu_1x1", 64, 128, sixteenth, eighth, 1),
        OpKey("conv_bn_relu_3x3", 128, 256, eighth + genotype["ch_8_2"], eighth, 1),
        OpKey("conv_bn_relu_1x1", 64, 128, sixteenth, eighth, 1),
        OpKey("conv_bn_relu_3x3", 128, 256, eighth + genotype["ch_8_1"], eighth, 1),
        OpKey("fusion", 128, 256, 2 * eighth, 2 * eighth, 1),
        OpKey("head", 128, 256, 2 * eighth, 19, 1),
    ]
    stem = stem_ms(table, genotype["stem_head_width"][0])
    return stem + sum(table[key].latency_ms for key in cells + decoder)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "has no object `table`"),
        ({"table": {"Pool_H1_W1_Cin1_Cout1_stride1": 1.0}}, "Pool_H1"),
        ({"table": {"head_H128_W256": 1.0}}, "head_H128_W256"),
        ({"table": {"ConvNorm_H8_W8_Cin8_Cout8_kernel5_stride1": 1.0}}, "kernel5"),
        ({"table": {"head_H128_W256_Cin128_Cout19": -1.0}}, "latency_ms=-1.0"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, value, message):
    path = tmp_path / "table.json"
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=message) as caught:
        load_released_table(path)
    assert str(path) in str(caught.value)


def test_the_released_table_is_told_from_other_files(tmp_path):
    assert is_released_table(FIXTURES / "latency_1080ti_trt5.json")
    own = tmp_path / "own.json"
    released_table().save(own)
    assert not is_released_table(own)
    assert not is_released_table(tmp_path / "gone.json")
    for text in ("", "[1]", '{"table": 1}'):
        own.write_text(text)
        assert not is_released_table(own)
