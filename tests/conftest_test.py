"""What is skipped fails where CI=true: tests, and modules before any test."""

import pytest

from tests.shared import ROOT

pytest_plugins = ["pytester"]

TEST = "import pytest\ndef test_a(): pytest.skip('no room')"
MODULE = "import pytest\npytest.importorskip('gone', reason='no room')\ndef test_a(): pass"


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("code", [TEST, MODULE])
@pytest.mark.parametrize("ci", ["true", ""])
def test_skipped_is_failed(pytester, monkeypatch, ci, code, workers):
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(code)
    result = pytester.runpytest_subprocess("-rs", "-n", workers, "-p", "no:cacheprovider")
    assert (result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)) == bool(ci)
    result.stdout.fnmatch_lines(
        ["*no room (CI=true allows no skipped test)" if ci else "*no room*"]
    )
