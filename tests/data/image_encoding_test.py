"""Every kind of file in both roles: as an image, as a label of ids and as one of colours."""

import numpy as np
import pytest
from PIL import Image

from keras_fasterseg.data.errors import DataError
from keras_fasterseg.data.folder import Folder
from keras_fasterseg.data.image_encoding import FORMATS
from keras_fasterseg.data.image_files import read_header, read_image, read_label, read_sample
from tests.data.encoded_files import PNG_CHANNELS, PNG_DEPTHS, bmp, png

RNG = np.random.default_rng(0)
SHAPE = (5, 7)
# Ids and colours of a bit, so that every depth can hold them.
IDS = RNG.integers(0, 2, SHAPE)
COLORS = np.array([[200, 30, 40], [10, 250, 90]], np.uint8)
PNG_KINDS = [(color_type, depth) for color_type in PNG_DEPTHS for depth in PNG_DEPTHS[color_type]]


@pytest.fixture
def ids(tmp_path):
    return _source(tmp_path / "ids", "classes: [ground, lane]\nignore_index: 77\n")


@pytest.fixture
def colors(tmp_path):
    first, second = ([value] * 3 for value in (0, 255))
    classes = [
        {
            "name": "ground",
            "color": COLORS[0].tolist(),
            "label_colors": [COLORS[0].tolist(), first],
        },
        {"name": "lane", "color": COLORS[1].tolist(), "label_colors": [COLORS[1].tolist(), second]},
    ]
    return _source(tmp_path / "colors", f"labels: colors\nclasses: {classes}\n")


def _source(root, text):
    (root / "images" / "train").mkdir(parents=True)
    (root / "dataset.yaml").write_text(text)
    return Folder(root)


def refused(path, source, words):
    with pytest.raises(DataError, match=words) as failure:
        read_label(path, source)
    assert str(path) in str(failure.value)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(("color_type", "depth"), PNG_KINDS)
def test_every_png_as_an_image(tmp_path, color_type, depth):
    """Grey is stretched to 0-255 (PNG, section 13.12), and what lies below transparency counts."""
    channels, highest = PNG_CHANNELS[color_type], 2**depth - 1
    samples = RNG.integers(0, highest + 1, (*SHAPE, channels))
    palette = RNG.integers(0, 256, (highest + 1, 3), np.uint8) if color_type == 3 else ()
    path = tmp_path / "a.png"
    path.write_bytes(png(samples, color_type, depth, palette))

    if depth == 16:
        with pytest.raises(
            DataError,
            match=rf"{path} is stored as 16-bit .* PNG, which does not define the value of white",
        ):
            read_image(path)
        return
    values = samples[..., : 3 if channels > 2 else 1]
    expected = palette[values[..., 0]] if color_type == 3 else values * (255 // highest)
    np.testing.assert_array_equal(read_image(path), np.broadcast_to(expected, (*SHAPE, 3)))


@pytest.mark.parametrize(("color_type", "depth"), PNG_KINDS)
def test_every_png_as_a_label_of_ids(tmp_path, ids, color_type, depth):
    samples = np.repeat(IDS[..., np.newaxis], PNG_CHANNELS[color_type], axis=-1)
    if color_type in (4, 6):
        samples[..., -1] = 2**depth - 1
    path = tmp_path / "a.png"
    path.write_bytes(png(samples, color_type, depth, COLORS if color_type == 3 else ()))

    if color_type in (2, 6):
        refused(path, ids, rf"is stored as {depth}-bit RGB.* PNG, but labels of .* hold ids; store")
    elif (color_type, depth) == (4, 16):
        refused(path, ids, "is stored as 16-bit grey and alpha PNG, which is not supported")
    else:
        np.testing.assert_array_equal(read_label(path, ids), IDS)


@pytest.mark.parametrize(("color_type", "depth"), PNG_KINDS)
def test_every_png_as_a_label_of_colours(tmp_path, colors, color_type, depth):
    highest, path = 2**depth - 1, tmp_path / "a.png"
    if color_type == 3:
        data = png(IDS, 3, depth, COLORS)
    elif color_type in (2, 6):
        opaque = np.full((*SHAPE, 1), highest)
        samples = np.concatenate([COLORS[IDS].astype(int) * (highest // 255), opaque], axis=-1)
        data = png(samples[..., : PNG_CHANNELS[color_type]], color_type, depth)
    else:
        samples = np.stack([IDS * highest, np.full(SHAPE, highest)], axis=-1)
        data = png(samples[..., : PNG_CHANNELS[color_type]], color_type, depth)
    path.write_bytes(data)

    if depth == 16:
        refused(
            path,
            colors,
            "is stored as 16-bit .* PNG, which is not supported; store RGB with 8 bits",
        )
    else:
        np.testing.assert_array_equal(read_label(path, colors), IDS)


def test_a_12_bit_camera_in_16_bits_is_not_trained_on(ids):
    """Its highest value is 4095 of 65535: cut to 8 bits, the image would be nearly black."""
    (ids.root / "labels" / "train").mkdir(parents=True)
    (ids.root / "labels" / "train" / "a.png").write_bytes(png(IDS, 0, 8))
    image = ids.root / "images" / "train" / "a.png"
    image.write_bytes(png(RNG.integers(0, 4096, (*SHAPE, 3)), 2, 16))
    with pytest.raises(DataError, match=r"16-bit RGB PNG, .* convert all images to 8 bits"):
        read_sample(ids.samples("train")[0], ids)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_is_read_as_its_values_or_stretched(tmp_path, depth):
    """Whichever the data set has; a program that presses PNG files makes the latter."""
    highest, path = 2**depth - 1, tmp_path / "a.png"
    path.write_bytes(png(IDS * highest, 0, depth))
    plain = _source(
        tmp_path / "plain", f"classes: [{{name: a, ids: 0}}, {{name: b, ids: {highest}}}]"
    )
    stretched = _source(
        tmp_path / "stretched", "classes: [{name: a, ids: 0}, {name: b, ids: [17, 85, 255]}]"
    )
    np.testing.assert_array_equal(read_label(path, plain), IDS)
    np.testing.assert_array_equal(read_label(path, stretched), IDS)
    both = _source(
        tmp_path / "both",
        f"classes: [{{name: a, ids: 0}}, {{name: b, ids: {highest}}}, {{name: c, ids: 255}}]",
    )
    refused(
        path,
        both,
        f"is stored as {depth}-bit grey PNG, which is ambiguous: its values are ids of both both",
    )
    neither = _source(
        tmp_path / "neither",
        "ignore_index: 99\nclasses: [{name: a, ids: 0}, {name: b, ids: 100}]",
    )
    refused(path, neither, rf"holds the id {highest}, which neither does not have")


@pytest.mark.parametrize(
    ("data", "is_transparent"),
    [
        (png(np.dstack([IDS, IDS * 9]), 4, 8), True),
        (png(np.dstack([IDS, np.full(SHAPE, 255)]), 4, 8), False),
        (png(IDS, 3, 8, COLORS, b"\xff\x80"), True),
        (png(IDS, 3, 1, COLORS, b"\0"), True),
        (png(IDS, 3, 8, [*COLORS, (0, 0, 0)], b"\xff\xff\0"), False),
        (png(IDS, 0, 8, (), b"\0\1"), True),
        (png(IDS, 0, 8, (), b"\0\2"), False),
        (png(IDS, 0, 2, (), b"\0\1"), True),
        (png(IDS, 0, 2, (), b"\0\3"), False),
        (png(IDS, 0, 1, (), b"\0\1"), True),
        (png(IDS, 0, 16, (), b"\0\1"), True),
        (png(IDS, 0, 16, (), b"\1\0"), False),
    ],
)
@pytest.mark.filterwarnings("error")
def test_transparent_pixels_of_a_label_are_refused(tmp_path, ids, data, is_transparent):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    if is_transparent:
        refused(path, ids, r"PNG and has transparent pixels, .* store it without transparency")
    else:
        np.testing.assert_array_equal(read_label(path, ids), IDS)


@pytest.mark.parametrize("alpha", [255, 254])
def test_transparent_colours(tmp_path, colors, alpha):
    path = tmp_path / "a.png"
    pixels = np.concatenate([COLORS[IDS], np.full((*SHAPE, 1), alpha, np.uint8)], axis=-1)
    path.write_bytes(png(pixels, 6, 8))
    if alpha < 255:
        refused(path, colors, "8-bit RGB and alpha PNG and has transparent pixels")
    else:
        np.testing.assert_array_equal(read_label(path, colors), IDS)
    path.write_bytes(png(COLORS[IDS], 2, 8, (), b"\0\xc8\0\x1e\0\x28"))
    refused(path, colors, "8-bit RGB PNG and has transparent pixels")


@pytest.mark.filterwarnings("error")
def test_no_warning_of_pillow_where_an_image_has_a_transparent_palette(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(IDS, 3, 8, COLORS, b"\x80"))
    np.testing.assert_array_equal(read_image(path), COLORS[IDS])


def test_ids_beyond_a_byte(tmp_path, ids):
    path = tmp_path / "a.png"
    path.write_bytes(png(IDS * 300, 0, 16))
    refused(path, ids, r"holds the id 300, which .* does not have \(its ids: 0-1, 77\)")
    Image.fromarray((IDS * -5).astype(np.int32)).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", ids, r"holds the id -5, which")
    Image.fromarray(IDS.astype(np.int32)).save(tmp_path / "a.tif")
    assert str(read_header(tmp_path / "a.tif")) == "32-bit signed grey TIFF"
    np.testing.assert_array_equal(read_label(tmp_path / "a.tif", ids), IDS)
    with pytest.raises(
        DataError, match="32-bit signed grey TIFF, which is not supported; convert it to"
    ):
        read_image(tmp_path / "a.tif")
    # 8 bits with a sign, which Pillow reads as without one.
    Image.fromarray(IDS.astype(np.uint8)).save(tmp_path / "a.tif", tiffinfo={339: 2})
    refused(
        tmp_path / "a.tif",
        ids,
        "is stored as 8-bit signed grey TIFF, which is not supported; store",
    )


GREY, RGB = IDS.astype(np.uint8), COLORS[IDS]
SAVED = {
    "a.bmp": {},
    "b.tif": {},
    "c.TIFF": {"compression": "tiff_lzw"},
    "d.tif": {"compression": "tiff_adobe_deflate"},
    "e.webp": {"lossless": True},
    "f.ppm": {},
}


@pytest.mark.parametrize("name", SAVED)
def test_other_formats_without_loss(tmp_path, ids, colors, name):
    path = tmp_path / name
    Image.fromarray(RGB).save(path, **SAVED[name])
    np.testing.assert_array_equal(read_image(path), RGB)
    np.testing.assert_array_equal(read_label(path, colors), IDS)
    refused(path, ids, "8-bit RGB .* hold ids; store ids in one channel of 8 bits")
    assert read_header(path).format in FORMATS
    if name == "e.webp":
        return
    path = path.with_suffix(".pgm") if name == "f.ppm" else path
    Image.fromarray(GREY).save(path, **SAVED[name])
    np.testing.assert_array_equal(read_label(path, ids), IDS)
    np.testing.assert_array_equal(read_image(path), np.stack([GREY] * 3, axis=-1))


@pytest.mark.parametrize(
    ("name", "options", "encoding"),
    [
        ("a.jpg", {"quality": 100}, "8-bit RGB JPEG"),
        ("a.png", {"format": "JPEG"}, "8-bit RGB JPEG"),
        ("a.webp", {"quality": 100}, "8-bit RGB WEBP"),
        ("a.webp", {"quality": 90, "exif": b"Exif\0\0"}, "8-bit RGB WEBP"),
        ("a.tif", {"compression": "jpeg"}, "8-bit RGB TIFF"),
    ],
)
def test_formats_with_loss_are_images_and_no_labels(tmp_path, ids, colors, name, options, encoding):
    path = tmp_path / name
    scene = np.full((16, 16, 3), 90, np.uint8)
    Image.fromarray(scene).save(path, **options)
    assert np.abs(read_image(path).astype(int) - scene).max() <= 2
    for source in (ids, colors):
        refused(
            path, source, f"is stored as {encoding}, which is lossy and changes label values; store"
        )


def test_a_lossless_webp_with_metadata(tmp_path, colors):
    path = tmp_path / "a.webp"
    Image.fromarray(RGB).save(path, lossless=True, exif=b"Exif\0\0", icc_profile=b"any")
    np.testing.assert_array_equal(read_label(path, colors), IDS)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_indices_of_a_bmp(tmp_path, ids, colors, bits):
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp(IDS, bits, COLORS))
    np.testing.assert_array_equal(read_label(path, ids), IDS)
    np.testing.assert_array_equal(read_label(path, colors), IDS)
    np.testing.assert_array_equal(read_image(path), RGB)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_bmp_of_black_and_white_in_more_bits(tmp_path, ids, bits):
    """Pillow reads the indices as bits, and gives another image without a word."""
    path = tmp_path / "a.bmp"
    path.write_bytes(bmp(IDS, bits, [(0, 0, 0), (255, 255, 255)]))
    refused(
        path, ids, f"is stored as {bits}-bit grey-palette BMP, which is not supported; store ids"
    )
    with pytest.raises(
        DataError, match=f"{bits}-bit grey-palette BMP, which is not supported; convert"
    ):
        read_image(path)


def test_a_bmp_of_5_bits_a_channel(tmp_path, colors):
    """31 of 31 is 255, and 16 of 31 is 131 (16 * 255 / 31 = 131.6, rounded down)."""
    path = tmp_path / "a.bmp"
    pixels = np.array([[31 << 10, 16 << 5, 31, 0]], np.uint16)
    path.write_bytes(bmp(pixels, 16, ()))
    expected = [[[255, 0, 0], [0, 131, 0], [0, 0, 255], [0, 0, 0]]]
    np.testing.assert_array_equal(read_image(path), expected)
    refused(
        path, colors, "is stored as 5-bit RGB BMP, which is not supported; store RGB with 8 bits"
    )


def _tiff(path, mode):
    image = Image.fromarray(GREY)
    if mode == "P":
        image.putpalette(COLORS.tobytes())
    elif mode == "1":
        image = Image.fromarray(IDS == 1)
    elif mode == "RGBA":
        image = Image.fromarray(np.concatenate([RGB, np.full((*SHAPE, 1), 255, np.uint8)], -1))
    elif mode == "LA":
        image = image.convert("LA")
    image.save(path)


@pytest.mark.parametrize(
    ("mode", "encoding"),
    [
        ("1", "1-bit grey TIFF"),
        ("L", "8-bit grey TIFF"),
        ("P", "8-bit palette TIFF"),
        ("LA", "8-bit grey and alpha TIFF"),
        ("RGBA", "8-bit RGB and alpha TIFF"),
    ],
)
def test_every_tiff(tmp_path, ids, colors, mode, encoding):
    path = tmp_path / "a.tif"
    _tiff(path, mode)
    assert str(read_header(path)) == encoding
    grey = np.stack([GREY * (255 if mode == "1" else 1)] * 3, axis=-1)
    np.testing.assert_array_equal(read_image(path), RGB if mode in ("P", "RGBA") else grey)
    if mode == "RGBA":
        refused(path, ids, "is stored as 8-bit RGB and alpha TIFF, but labels of")
    else:
        np.testing.assert_array_equal(read_label(path, ids), IDS)
    if mode in ("P", "RGBA", "1"):
        np.testing.assert_array_equal(read_label(path, colors), IDS)
    else:
        refused(path, colors, r"holds the colour \(1, 1, 1\), which is not a label colour")


def test_a_tiff_whose_0_is_white(tmp_path, ids):
    path = tmp_path / "a.tif"
    Image.fromarray(255 - GREY).save(path, tiffinfo={262: 0})
    refused(
        path,
        ids,
        "8-bit grey TIFF with 0 as white, so an id may be the value or its complement",
    )


@pytest.mark.parametrize(
    ("name", "pixels", "encoding"),
    [
        ("a.tif", np.zeros(SHAPE, np.float32), "32-bit floating-point grey TIFF"),
        ("a.tif", np.zeros(SHAPE, np.uint16), "16-bit grey TIFF"),
        ("a.pgm", np.zeros(SHAPE, np.uint16), "16-bit grey PPM"),
        ("a.jpg", np.zeros((*SHAPE, 4), np.uint8), "8-bit CMYK JPEG"),
        ("a.tif", np.zeros((*SHAPE, 4), np.uint8), "8-bit CMYK TIFF"),
    ],
)
def test_other_images_are_refused_in_a_sentence(tmp_path, name, pixels, encoding):
    mode = "CMYK" if pixels.ndim == 3 else None
    Image.fromarray(pixels, mode).save(tmp_path / name)
    with pytest.raises(DataError, match=f"{name} is stored as {encoding}, .*8 bits") as failure:
        read_image(tmp_path / name)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("maximum", "encoding"), [(100, "7-bit 0-to-100 grey PPM"), (1023, "10-bit grey PPM")]
)
def test_a_pgm_of_another_range(tmp_path, ids, maximum, encoding):
    path = tmp_path / "a.pgm"
    layout = "u1" if maximum < 256 else ">u2"
    path.write_bytes(b"P5 7 5 %d\n" % maximum + IDS.astype(layout).tobytes())
    refused(path, ids, f"is stored as {encoding}, which is not supported")
    with pytest.raises(DataError, match=f"is stored as {encoding}, "):
        read_image(path)


@pytest.mark.parametrize("suffix", [".pgm", ".pnm"])
@pytest.mark.parametrize(("scale", "layout"), [(b"-1.0", "<f4"), (b"1.0", ">f4")])
def test_a_pfm_under_another_name(tmp_path, ids, suffix, scale, layout):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"Pf\n7 5\n" + scale + b"\n" + IDS.astype(layout).tobytes())
    refused(
        path, ids, "is stored as 32-bit floating-point grey PPM, which is not supported; store ids"
    )
    with pytest.raises(
        DataError, match="32-bit floating-point grey PPM, which is not supported; conv"
    ):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.tif", {}), ("a.webp", {"lossless": True}), ("a.png", {"default_image": False})],
)
def test_several_images_in_one_file(tmp_path, ids, name, options):
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    with pytest.raises(DataError, match=f"{name} holds several images, pages or frames; store one"):
        read_image(tmp_path / name)
    refused(tmp_path / name, ids, "holds several images, pages or frames")


def test_the_preview_behind_a_photograph_does_not_count(tmp_path):
    """Cameras write such files as .jpg; Pillow calls them MPO."""
    scene = Image.new("RGB", (32, 16), (90, 90, 90))
    scene.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[scene.resize((8, 4))])
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - 90).max() <= 2
    assert read_header(tmp_path / "a.jpg").format == "JPEG"


@pytest.mark.parametrize("value", [0, 1, 9, 65535])
@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_other_orientations_than_eight_are_upright(tmp_path, colors, name, value):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(RGB).save(tmp_path / name, exif=exif, lossless=True)
    np.testing.assert_array_equal(read_image(tmp_path / name), RGB)
    np.testing.assert_array_equal(read_label(tmp_path / name, colors), IDS)
    assert read_header(tmp_path / name).orientation == 1


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
def test_turned_files_of_other_formats(tmp_path, ids, colors, name):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / name
    stored = np.ascontiguousarray(RGB.transpose(1, 0, 2)[::-1])
    Image.fromarray(stored).save(path, exif=exif, lossless=True)
    np.testing.assert_array_equal(read_image(path), RGB)
    refused(path, colors, r"and rotated or mirrored by its EXIF orientation \(6\); store the")
    (ids.root / "labels" / "train").mkdir(parents=True)
    path.rename(ids.root / "images" / "train" / name)
    (ids.root / "labels" / "train" / "a.png").write_bytes(png(IDS, 0, 8))
    with pytest.raises(
        DataError, match=r"is rotated or mirrored by its EXIF orientation .* and its label may"
    ):
        read_sample(ids.samples("train")[0], ids)
