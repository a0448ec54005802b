"""Distillation loss: divergence of a student's distributions from its teacher's."""

from typing import Any

from keras import ops

from keras_fasterseg.tensorflow_cpu import compiled

Tensor = Any  # a tensor of the backend that Keras runs on

KINDS = ("pixel", "channel")
REDUCTIONS = ("element_mean", "pixel_mean")


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    kind: str = "pixel",
    temperature: float = 1.0,
    reduction: str = "element_mean",
    jit_compile: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence KL(teacher || student), void pixels included.

    A distribution is over the classes of a pixel, or over the pixels of an image for one class
    (channel-wise distillation). It works on log-softmax, so it is finite for any logits. The
    teacher receives no gradient.

    Args:
        student_logits: Scores before the softmax, of shape `(batch, height, width, classes)`. Half
            precision is converted to float32.
        teacher_logits: The teacher's scores, of the same shape.
        kind: `"pixel"` or `"channel"`.
        temperature: Divides both logits. The loss is multiplied by its square to keep the size of
            the gradient.
        reduction: For pixels, `"element_mean"` averages over pixels and classes, as in the
            released code, and `"pixel_mean"` over pixels: larger by the number of classes. For
            channels, the mean is over images and classes.
        jit_compile: Whether XLA compiles the loss, once for every shape, if the backend is
            TensorFlow.

    Returns:
        Scalar float32 tensor, in nats.

    Raises:
        ValueError: The shapes differ, `temperature` is not positive, or `kind` or `reduction` is
            unknown.

    Reference:
        FasterSeg (Chen et al., ICLR 2020), teacher/student co-searching; Hinton et al.,
        "Distilling the Knowledge in a Neural Network"; Shu et al., "Channel-wise Knowledge
        Distillation for Dense Prediction" (https://arxiv.org/abs/2011.13256).
    """
    _check_options(kind, temperature, reduction)
    _check_shapes(student_logits, teacher_logits)
    forward = compiled(_divergence) if jit_compile else _divergence
    backward = compiled(_divergence_gradient) if jit_compile else _divergence_gradient
    # What a distribution is over is axis 1. For pixels this makes channels first, and the mean is
    # outside XLA: see `ohem_cross_entropy`.
    student, teacher = (
        _pixels_first(logits) if kind == "channel" else ops.transpose(logits, (0, 3, 1, 2))
        for logits in (
            ops.cast(student_logits, "float32"),
            ops.cast(ops.stop_gradient(teacher_logits), "float32"),
        )
    )
    values = forward(ops.stop_gradient(student), teacher, float(temperature))

    @ops.custom_gradient
    def divergence(student):
        def gradient(*upstreams, upstream=None):
            if upstream is None:
                (upstream,) = upstreams
            return backward(student, teacher, upstream, float(temperature))

        return values, gradient

    mean = ops.mean(divergence(student)) * temperature**2
    by_class = kind == "pixel" and reduction == "element_mean"
    return mean / student.shape[1] if by_class else mean


def _pixels_first(logits: Tensor) -> Tensor:
    """Reshapes `(batch, height, width, classes)` to `(batch, height * width, classes)`."""
    batch, *_, classes = ops.shape(logits)
    return ops.reshape(logits, (batch, -1, classes))


def _divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Divergences of distributions over axis 1 of the logits."""
    student, teacher = (_log_softmax(logits / temperature) for logits in (student, teacher))
    return ops.sum(ops.exp(teacher) * (teacher - student), axis=1)


def _divergence_gradient(
    student: Tensor, teacher: Tensor, upstream: Tensor, temperature: float
) -> Tensor:
    """Gradient with respect to the student's logits: the difference of the probabilities."""
    student, teacher = (
        ops.exp(_log_softmax(logits / temperature)) for logits in (student, teacher)
    )
    return (student - teacher) * (upstream / temperature)[:, None]


def _log_softmax(logits: Tensor) -> Tensor:
    # Keras' log_softmax would transpose the classes to the end and back.
    logits = logits - ops.max(logits, axis=1, keepdims=True)
    return logits - ops.log(ops.sum(ops.exp(logits), axis=1, keepdims=True))


def _check_options(kind: str, temperature: float, reduction: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {KINDS}. Received: {kind!r}")
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0. Received: temperature={temperature}")
    if reduction not in REDUCTIONS:
        raise ValueError(f"`reduction` must be one of {REDUCTIONS}. Received: {reduction!r}")


def _check_shapes(student_logits: Tensor, teacher_logits: Tensor) -> None:
    student, teacher = tuple(student_logits.shape), tuple(teacher_logits.shape)
    fits = len(student) == len(teacher) and all(
        None in pair or pair[0] == pair[1] for pair in zip(student, teacher, strict=True)
    )
    if not fits:
        # Without this check, broadcasting would silently give a loss.
        raise ValueError(
            "Student and teacher must have logits of the same shape. "
            f"Received: student_logits.shape={student}, teacher_logits.shape={teacher}. "
            "Resize both to the size of the labels."
        )
