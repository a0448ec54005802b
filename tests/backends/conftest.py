"""Only JAX divides batches among devices; PyTorch trains no supernets."""

import keras

_LEFT_OUT = {
    "tensorflow": ["local_devices_test.py"],
    "torch": ["local_devices_test.py", "search_test.py"],
}
collect_ignore = _LEFT_OUT.get(keras.backend.backend(), [])
