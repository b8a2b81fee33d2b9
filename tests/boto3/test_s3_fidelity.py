"""Through the gateway an S3 server answers as it answers by itself."""

import json
import os
import shutil
import socket
import subprocess

import pytest
from moto.server import ThreadedMotoServer

from cluster import running
import fidelity_lists  # noqa: F401 -- these add their cases
import fidelity_objects  # noqa: F401
import fidelity_signatures  # noqa: F401
import fidelity_uploads  # noqa: F401
from fidelity import ACCESS_KEY, CASES, REGION, SECRET_KEY, compare
from processes import Program, clean_environment, finops, wait_until


def start_moto(_folder):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}", server.stop


def start_versitygw(folder):
    program = os.environ.get("FINOPS_TEST_VERSITYGW") or shutil.which("versitygw")
    if program is None:
        pytest.skip("set FINOPS_TEST_VERSITYGW to the program versitygw")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    command = [program, "--quiet", "--port", f"127.0.0.1:{port}", "posix"]
    keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY}
    process = subprocess.Popen(
        [*command, str(folder)],
        cwd=folder,
        env=clean_environment(keys),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def stop():
        process.terminate()
        process.wait(10)

    wait_until("versitygw listens", lambda: accepts_connections(port))
    return f"http://127.0.0.1:{port}", stop


def accepts_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


SERVERS = {"moto": start_moto, "versitygw": start_versitygw}


@pytest.fixture(scope="module", params=SERVERS)
def pair(request, tmp_path_factory):
    """The server's name, the gateway before it, and the server itself."""
    server, stop = SERVERS[request.param](tmp_path_factory.mktemp("server"))
    folder = tmp_path_factory.mktemp("gateway")
    credential = {
        "accessKeyId": ACCESS_KEY,
        "secretAccessKey": SECRET_KEY,
        "tenant": "fidelity",
        "admin": True,
    }
    settings = {
        "FINOPS_PORT": 0,
        "FINOPS_DATA_DIR": folder,
        "FINOPS_CREDENTIALS": json.dumps([credential]),
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_ENDPOINT_URL_S3": server,
    }
    with running(Program(finops("serve"), settings, cwd=folder)) as program:
        yield request.param, f"{program.url}/bedrock/files", server
    stop()


@pytest.mark.parametrize("name", CASES)
def test_the_gateway_answers_as_the_server(pair, name):
    server_name, gateway, server = pair
    case = CASES[name]
    if case.strict and server_name == "moto":
        pytest.skip("moto does not check what it is sent")
    expected, seen = compare(case, gateway, server)
    assert seen == expected
