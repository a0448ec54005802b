"""Bytes that two workers on this machine send each other in a step."""

import itertools
import json
import multiprocessing
import os
from typing import Any

import psutil

WORKERS = 2


def sent_per_step(job: Any, steps: int) -> float:
    """Bytes that one of two workers sends in a step, by the counter of the loopback interface.

    The counter includes headers, and what other programs send meanwhile.

    Args:
        job: `job.prepare(images)` makes a trainer, its network and a batch. It is sent to other
            processes.
        steps: Number of steps, after two that do not count.

    Raises:
        OSError: A worker fails, also if the machine is not Linux.
    """
    from tools.cluster.local import free_ports

    context = multiprocessing.get_context("spawn")
    hosts = [f"127.0.0.1:{port}" for port in free_ports(WORKERS)]
    pipes = [context.Pipe(duplex=False) for _ in hosts]
    processes = [
        context.Process(target=_work, args=(sender, hosts, index, job, steps))
        for index, (_, sender) in enumerate(pipes)
    ]
    try:
        for process, (_, sender) in zip(processes, pipes, strict=True):
            process.start()
            sender.close()
        # Both workers send; each sees the bytes of both.
        return pipes[0][0].recv() / steps / WORKERS
    except EOFError:
        raise OSError("A worker failed; its error is above.") from None
    finally:
        for process in processes:
            process.join()


def _work(sender: Any, hosts: list[str], index: int, job: Any, steps: int) -> None:
    task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
    os.environ["TF_CONFIG"] = json.dumps(task)
    from keras_fasterseg import workers

    workers.join()
    import keras

    from keras_fasterseg.search.graph_options import without_graph_rewriting

    class Counted(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.counts: list[int] = []

        def on_train_batch_end(self, batch, logs=None):
            # Reading a result waits for it.
            float((logs or {})["loss"])
            self.counts.append(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)

    trainer, _, batch = job.prepare(1)
    counted = Counted()
    with without_graph_rewriting():
        trainer.fit(
            (batch for _ in itertools.count()),
            steps_per_epoch=2 + steps,
            shuffle=False,
            verbose=0,
            callbacks=[counted],
        )
    sender.send(counted.counts[-1] - counted.counts[1])
