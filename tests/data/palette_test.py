from keras_fasterseg.data.palette import default_palette


def test_the_default_palette_is_that_of_pascal_voc():
    palette = default_palette()
    # As its development kit documents them.
    documented = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 8: (64, 0, 0)}
    documented |= {15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    for class_id, color in documented.items():
        assert tuple(palette[class_id]) == color
    assert len({tuple(color) for color in palette}) == 256
