"""main.ts as on Deno Deploy: no files, state in a KV that others share."""

import json
import os
import socket
import subprocess

import pytest

from batches import await_end, start_job, upload_input
from clients import Endpoint, unique
from cluster import running
from processes import ROOT, Program, binary, clean_environment, deno, wait_until
from records import ALL, BEDROCK, FILE_BASED

DENOKV = os.environ.get("FINOPS_TEST_DENOKV")
TOKEN = "example-access-token"
CREDENTIALS = [
    {
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": "example-secret",
        "tenant": "tests",
        "admin": True,
    }
]

pytestmark = pytest.mark.skipif(
    not DENOKV or bool(binary()),
    reason="FINOPS_TEST_DENOKV names no KV Connect server",
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def kv_url(tmp_path_factory):
    port = free_port()
    folder = tmp_path_factory.mktemp("denokv")
    server = subprocess.Popen(
        [
            DENOKV,
            "--sqlite-path",
            str(folder / "kv.sqlite"),
            "serve",
            "--access-token",
            TOKEN,
            "--addr",
            f"127.0.0.1:{port}",
        ],
        env=clean_environment({}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until("denokv listens", lambda: accepts(port))
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def start(cluster, kv_url, tmp_path_factory):
    """Starts one instance of the deployment."""
    settings = cluster.settings(
        DENO_DEPLOYMENT_ID="tests",
        DENO_KV_ACCESS_TOKEN=TOKEN,
        FINOPS_KV=kv_url,
        FINOPS_OBJECT_STORE="s3://your-s3-bucket/finops-store",
        FINOPS_CREDENTIALS=json.dumps(CREDENTIALS),
    )
    command = [
        deno(),
        "run",
        "--no-prompt",
        "--allow-net",
        "--allow-env",
        "--allow-sys",
        str(ROOT / "main.ts"),
    ]
    return lambda: Program(
        command, settings, cwd=tmp_path_factory.mktemp("instance")
    )


@pytest.fixture(scope="module")
def endpoint(start):
    with running(start()) as program:
        yield Endpoint(program.url)


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_an_upload_and_a_job_to_its_end(endpoint, provider):
    job = start_job(endpoint, provider)
    state = await_end(endpoint.bedrock(provider.name), job.arn)
    assert (state["status"], state["successRecordCount"]) == ("Completed", 3)
    body = endpoint.s3(provider.name).get_object(
        Bucket=provider.output_bucket,
        Key=f"{job.output_prefix}{job.id}/{job.input_name}.out",
    )["Body"].read()
    assert len(body.splitlines()) == 3


def test_anthropics_catalogue(endpoint):
    assert endpoint.bedrock("anthropic").list_foundation_models()[
        "modelSummaries"
    ]


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_records_that_rest_with_the_gateway_rest_in_s3(endpoint, provider):
    bucket, key, file_id = upload_input(
        endpoint, provider, BEDROCK.make_input()
    )
    answer = endpoint.s3(provider.name).get_object(Bucket=bucket, Key=key)
    assert answer["Body"].read() == BEDROCK.make_input()
    assert answer["ETag"] == f'"{file_id}"'


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_instances_share_everything(endpoint, start, provider):
    bucket, key, file_id = upload_input(endpoint, provider)
    job = start_job(endpoint, provider, jobName=unique("shared"))
    with running(start()) as program:
        other = Endpoint(program.url)
        head = other.s3(provider.name).head_object(Bucket=bucket, Key=key)
        assert head["ETag"] == f'"{file_id}"'
        state = await_end(other.bedrock(provider.name), job.arn)
        assert (state["jobName"], state["status"]) == (job.name, "Completed")
