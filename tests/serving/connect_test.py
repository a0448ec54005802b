import sys

import pytest

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.serving.connect import CLIENTS, connect


@pytest.mark.parametrize("protocol", CLIENTS)
def test_protocols_by_name(protocol):
    with connect(protocol, "127.0.0.1:1", "student", version=2) as client:
        assert type(client) is CLIENTS[protocol]
        assert (client.server, client.model, client.version) == ("127.0.0.1:1", "student", 2)


def test_an_unknown_protocol():
    with pytest.raises(ValueError, match=r"one of rest, grpc, triton. Received: protocol='soap'"):
        connect("soap", "127.0.0.1:1", "student")


@pytest.mark.parametrize(
    ("protocol", "package"), [("rest", "requests"), ("grpc", "grpc"), ("triton", "requests")]
)
def test_what_is_not_installed_is_named(protocol, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RuntimeNotInstalledError, match=rf"needs {package}.*\[serving\]"):
        connect(protocol, "127.0.0.1:1", "student")
