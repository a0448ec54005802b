import pytest

from tests.shared import ROOT

pytest_plugins = ["pytester"]

TEST = "import pytest\ndef test_a(): pytest.skip('no room')"
MODULE = "import pytest\npytest.importorskip('gone', reason='no room')\ndef test_a(): pass"
FAILURES = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("code", [TEST, MODULE])
def test_what_is_skipped_has_failed(pytester, monkeypatch, code, workers):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p tests.no_skips")
    pytester.makepyfile(code)
    result = pytester.runpytest_subprocess("-n", workers, "-p", "no:cacheprovider")
    assert result.ret in FAILURES
    result.stdout.fnmatch_lines(["*no room (no test may be skipped here)"])
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    result = pytester.runpytest_subprocess("-n", workers, "-p", "no:cacheprovider")
    assert result.ret not in FAILURES
