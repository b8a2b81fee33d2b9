"""Gateways that the tests share. Every process ends with its session."""

import os
import pathlib
import sys
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# The clients' settings come from the tests alone.
for name in list(os.environ):
    if name.startswith("AWS_"):
        del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.devnull
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_ACCESS_KEY_ID"] = "AKIDEXAMPLE"
os.environ["AWS_SECRET_ACCESS_KEY"] = "example-secret"

from clients import Endpoint  # noqa: E402
from cluster import Cluster  # noqa: E402
from processes import start_sandbox  # noqa: E402
from tls_front import TlsFront  # noqa: E402


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """The gateway that most tests use: open, with batches that end soon."""
    program = start_sandbox(tmp_path_factory.mktemp("sandbox"))
    yield program
    program.stop()


@pytest.fixture(scope="session")
def gateway(sandbox):
    return Endpoint(sandbox.url)


@pytest.fixture(scope="session")
def slow_gateway(tmp_path_factory):
    """Batches take their time here, so that they can be stopped."""
    program = start_sandbox(tmp_path_factory.mktemp("slow"), pace_ms=800)
    yield Endpoint(program.url)
    program.stop()


@pytest.fixture(scope="session")
def behind_tls(tmp_path_factory):
    """Puts a TLS front before a gateway; one for each."""
    fronts = {}

    def wrap(endpoint):
        if endpoint.url not in fronts:
            port = urllib.parse.urlsplit(endpoint.url).port
            fronts[endpoint.url] = TlsFront(port, tmp_path_factory.mktemp("tls"))
        front = fronts[endpoint.url]
        return Endpoint(front.url, str(front.ca_path))

    yield wrap
    for front in fronts.values():
        front.stop()


@pytest.fixture(params=["http", "https"])
def scheme(request):
    return request.param


@pytest.fixture
def endpoint(scheme, gateway, behind_tls):
    """Over https boto3 sends bodies in another way: chunked, with a trailer."""
    return gateway if scheme == "http" else behind_tls(gateway)


@pytest.fixture
def slow_endpoint(scheme, slow_gateway, behind_tls):
    return slow_gateway if scheme == "http" else behind_tls(slow_gateway)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Simulators for gateways that are killed, measured or run elsewhere."""
    simulators = Cluster(tmp_path_factory.mktemp("cluster"))
    yield simulators
    simulators.stop()
