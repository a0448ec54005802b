"""Which packages a wheel holds; everything else about it is in pyproject.toml.

`tools` and `flags` go into the package `keras_fasterseg_programs`: names as common as theirs must
not lie at the top of everybody's site-packages. `tools.maintenance` is for this repository alone.
"""

from setuptools import find_namespace_packages, find_packages, setup

PROGRAMS = "keras_fasterseg_programs"

setup(
    packages=[
        *find_packages(include=["keras_fasterseg", "keras_fasterseg.*"]),
        *(
            f"{PROGRAMS}.{package}"
            for package in find_namespace_packages(
                include=["flags", "flags.*", "tools", "tools.*"], exclude=["tools.maintenance"]
            )
        ),
    ],
    package_dir={f"{PROGRAMS}.{folder}": folder for folder in ("flags", "tools")},
)
