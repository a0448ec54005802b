"""A runner that takes time without doing anything."""

import numpy as np

NUM_CLASSES = 5


class FakeRunner:
    """Takes the next of `seconds` for a call, the last third of it in `synchronize`."""

    def __init__(self, clock, seconds, name="slow", log=None, metadata=None, device="CPU"):
        self.clock, self.seconds, self.name, self.device = clock, seconds, name, device
        self.log = [] if log is None else log
        self.metadata = metadata or {}
        self.inferred = []
        # The first call compiles; it is neither timed nor in the log.
        self.calls = -1
        self.loaded = False

    def load(self):
        if not self.loaded:
            self.clock.sleep(100.0)
        self.loaded = True

    def __call__(self, images):
        if self.calls >= 0:
            self.log.append((self.name, images.shape))
        self.clock.sleep(2 * self._duration() / 3)
        return images[..., 0] % NUM_CLASSES

    def infer(self, images, output="class_ids"):
        if self.calls >= 0:
            self.inferred.append(output)
        self.clock.sleep(2 * self._duration() / 3)
        return np.zeros((*images.shape[:3], NUM_CLASSES), np.float32)

    def synchronize(self):
        self.clock.sleep(self._duration() / 3)
        self.calls += 1

    def describe(self):
        return {
            "runtime": self.name,
            "version": "1",
            "precision": "float32",
            "threads": 2,
            "device": self.device,
        }

    def _duration(self):
        return 50.0 if self.calls < 0 else self.seconds[self.calls % len(self.seconds)]
