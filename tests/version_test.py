import re

import keras_fasterseg
from tests.shared import ROOT


def test_the_package_and_its_metadata_name_one_version():
    # Read by the build without importing anything, so it has to be a literal.
    text = (ROOT / "keras_fasterseg/version.py").read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(.+)"$', text, re.M) == [keras_fasterseg.__version__]
