"""Pytest plugin: a skipped test counts as failed, because all its requirements must be present."""

import pytest


def _unskipped(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (no test may be skipped here)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _unskipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _unskipped((yield))
