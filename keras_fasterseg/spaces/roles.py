"""Roles of the networks that a search finds together."""

TEACHER = "teacher"
"""The accurate network without a latency target; its logits steer the student's distillation."""

STUDENT = "student"
"""The deployed network; the latency penalty applies to it."""
