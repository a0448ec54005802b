"""Roles of the networks that a search space searches together."""

TEACHER = "teacher"
"""Has no latency budget; its logits teach the student."""

STUDENT = "student"
"""The network that is deployed, and that the latency penalty is about."""
