import sys

import pytest

from keras_fasterseg.runtimes.optional_import import RuntimeNotInstalledError
from keras_fasterseg.serving.connect import CLIENTS, connect

# gRPC's messages are TensorFlow's.
GRPC = pytest.mark.backends("tensorflow")
PROTOCOLS = [pytest.param(each, marks=GRPC if each == "grpc" else ()) for each in CLIENTS]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_by_name(protocol):
    with connect(protocol, "127.0.0.1:1", "student", version=2) as client:
        assert type(client) is CLIENTS[protocol]
        assert (client.server, client.model, client.version) == ("127.0.0.1:1", "student", 2)


@pytest.mark.parametrize(
    ("protocol", "server", "expected"),
    [
        ("rest", "localhost", "localhost:8501"),
        pytest.param("grpc", "localhost", "localhost:8500", marks=GRPC),
        ("triton", "localhost", "localhost:8000"),
        pytest.param("grpc", "localhost:", "localhost:8500", marks=GRPC),
        pytest.param("grpc", "localhost:1", "localhost:1", marks=GRPC),
        ("triton", "::1", "[::1]:8000"),
        ("triton", "[::1]", "[::1]:8000"),
        ("triton", "[::1]:9", "[::1]:9"),
        ("rest", "https://models.example", "https://models.example"),
        # Behind a proxy.
        ("rest", "localhost:1/prefix", "localhost:1/prefix"),
        ("triton", "localhost/a/b", "localhost:8000/a/b"),
        ("triton", "::1/prefix", "[::1]:8000/prefix"),
        # With a resolver of gRPC.
        pytest.param("grpc", "unix:/tmp/s", "unix:/tmp/s", marks=GRPC),
        pytest.param("grpc", "unix:///tmp/s", "unix:///tmp/s", marks=GRPC),
        pytest.param("grpc", "unix-abstract:s", "unix-abstract:s", marks=GRPC),
        pytest.param("grpc", "dns:localhost:8500", "dns:localhost:8500", marks=GRPC),
        pytest.param("grpc", "dns:///localhost:8500", "dns:///localhost:8500", marks=GRPC),
        pytest.param("grpc", "ipv4:1.2.3.4:8500", "ipv4:1.2.3.4:8500", marks=GRPC),
        pytest.param("grpc", "ipv6:[::1]:8500", "ipv6:[::1]:8500", marks=GRPC),
    ],
)
def test_a_server_without_a_port_has_that_of_the_protocol(protocol, server, expected):
    with connect(protocol, server, "student") as client:
        assert client.server == expected


@pytest.mark.parametrize("protocol", CLIENTS)
@pytest.mark.parametrize("server", ["", ":8501", "localhost:rest", "h:70000", "/v1", "[h]:1"])
def test_what_is_no_server(protocol, server):
    with pytest.raises(ValueError, match="`server` must be a host and a port, such as 127"):
        connect(protocol, server, "student")


def test_grpc_has_no_paths():
    with pytest.raises(ValueError, match=r"host and a port.*Received: server='h:1/v1'"):
        connect("grpc", "h:1/v1", "student")


def test_an_unknown_protocol():
    with pytest.raises(ValueError, match=r"one of rest, grpc, triton. Received: protocol='soap'"):
        connect("soap", "127.0.0.1:1", "student")


@pytest.mark.parametrize(
    ("protocol", "package"),
    [
        ("rest", "requests"),
        pytest.param("grpc", "grpc", marks=GRPC),
        ("triton", "requests"),
    ],
)
def test_what_is_not_installed_is_named(protocol, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RuntimeNotInstalledError, match=rf"needs {package}.*\[serving\]"):
        connect(protocol, "127.0.0.1:1", "student")


@pytest.mark.backends("jax", "torch")
def test_grpc_needs_tensorflow():
    with pytest.raises(RuntimeNotInstalledError, match=r"^A client for gRPC needs TensorFlow: pip"):
        connect("grpc", "127.0.0.1:1", "student")
