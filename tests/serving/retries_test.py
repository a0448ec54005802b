import pytest

from keras_fasterseg.serving.errors import ServingError, TransientServingError
from keras_fasterseg.serving.retries import RetryPolicy, call_with_retries


class Call:
    """Raises the errors in turn, then returns."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.count = 0

    def __call__(self):
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_delays_double_up_to_the_maximum():
    policy = RetryPolicy(attempts=7, first_delay_s=0.5, maximum_delay_s=5.0)
    assert list(policy.delays_s(draw=lambda: 0.0)) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_delays_are_shortened_by_up_to_a_half():
    policy = RetryPolicy(attempts=3, first_delay_s=2.0)
    assert list(policy.delays_s(draw=lambda: 0.5)) == [1.5, 3.0]
    assert all(1.0 <= delay <= 2.0 for _ in range(50) for delay in [*policy.delays_s()][:1])


def test_failures_of_the_moment_are_tried_again():
    call, slept = Call(TransientServingError("gone"), TransientServingError("gone")), []
    policy = RetryPolicy(attempts=4, first_delay_s=1.0)
    assert call_with_retries(call, policy, sleep=slept.append, draw=lambda: 0.0) == "answer"
    assert call.count == 3
    assert slept == [1.0, 2.0]


def test_the_last_failure_is_told():
    call = Call(*(TransientServingError(f"failure {n}") for n in range(3)))
    with pytest.raises(TransientServingError, match="failure 2"):
        call_with_retries(call, RetryPolicy(attempts=3), sleep=lambda _: None)
    assert call.count == 3


@pytest.mark.parametrize("error", [ServingError("refused"), ValueError("wrong")])
def test_other_failures_end_it_at_once(error):
    call = Call(error)
    with pytest.raises(type(error), match=str(error)):
        call_with_retries(call, RetryPolicy(), sleep=lambda _: pytest.fail("has waited"))
    assert call.count == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attempts": 0}, "attempts=0"),
        ({"first_delay_s": -1.0}, "first_delay_s=-1.0"),
        ({"first_delay_s": 9.0}, "maximum_delay_s=8.0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RetryPolicy(**arguments)
