"""Flags of a run that is as short as it can be."""

SUPERNET = (
    "--num_layers=4",
    "--base_filters=2",
    "--width_multipliers=1/2,1",
    "--student_width=1/2",
)
# 35 rows of a latency table in place of 123.
ONE_WIDTH = (*SUPERNET, "--width_multipliers=1", "--student_width=1")
DATA = (
    "--synthetic_train_images=4",
    "--synthetic_val_images=2",
    "--synthetic_size=64x128",
)
LATENCY = (
    "--latency_size=64x128",
    "--latency_warmup=0",
    "--latency_repetitions=1",
    "--latency_time_budget=0.001",
)
PRETRAIN = ("--pretrain_epochs=0", "--pretrain_batch_size=1", "--pretrain_crop_size=64x64")
SEARCH = (
    "--search_epochs=1",
    "--search_steps_per_epoch=1",
    "--search_batch_size=1",
    "--search_crop_size=64x64",
    "--search_downsample=1",
    "--search_validation_images=1",
)
STUDENT = (
    "--student_epochs=1",
    "--student_steps_per_epoch=1",
    "--student_batch_size=1",
    "--student_crop_size=64x64",
    "--student_evaluate_every=1",
)
TEACHER = tuple(flag.replace("student", "teacher") for flag in STUDENT)
