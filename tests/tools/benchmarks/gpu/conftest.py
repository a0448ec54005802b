"""Some tests here need JAX or PyTorch; `make test-jax` and `make test-torch` run them."""

import keras

collect_ignore = (
    ["plain_network_test.py", "rehearsal_test.py"]
    if keras.backend.backend() == "tensorflow"
    else []
)
