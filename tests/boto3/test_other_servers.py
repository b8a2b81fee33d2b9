"""The bedrock files of a gateway whose S3 is another server."""

import hashlib

import pytest
from moto.server import ThreadedMotoServer

from clients import Endpoint, unique
from cluster import running
from errors import refused
from processes import Program, finops
from records import BEDROCK
from test_files import ODD_KEYS, listed

BUCKET = "another-bucket"


@pytest.fixture(scope="module")
def other_s3(tmp_path_factory):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    folder = tmp_path_factory.mktemp("other")
    settings = {
        "FINOPS_PORT": 0,
        "FINOPS_DATA_DIR": folder,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "gateway-key",
        "AWS_SECRET_ACCESS_KEY": "gateway-secret",
        "AWS_ENDPOINT_URL_S3": url,
    }
    with running(Program(finops("serve"), settings, cwd=folder)) as program:
        yield Endpoint(program.url), Endpoint(url)
    server.stop()


@pytest.fixture(scope="module")
def client(other_s3):
    gateway, server = other_s3
    direct = server._client("s3", "", None, {"region_name": "us-east-1"})
    direct.create_bucket(Bucket=BUCKET)
    return gateway.s3("bedrock")


def test_put_get_head_list_delete(client):
    body = BEDROCK.make_input()
    name = {"Bucket": BUCKET, "Key": "folder/a.jsonl"}
    answer = client.put_object(**name, Body=body, Metadata={"a": "b"})
    assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = client.get_object(**name)
    assert got["Body"].read() == body
    assert got["Metadata"] == {"a": "b"}
    assert client.get_object(**name, Range="bytes=5-9")["Body"].read() == body[5:10]
    assert listed(client, BUCKET, Prefix="folder/")["folder/a.jsonl"]
    client.delete_object(**name)
    with refused("404", 404):
        client.head_object(**name)


@pytest.mark.parametrize("number", range(len(ODD_KEYS)))
def test_odd_keys(client, number):
    key = ODD_KEYS[number]
    if key.startswith(("../", "/")) or "//" in key:
        pytest.skip("moto's web framework normalises such paths itself")
    name = {"Bucket": BUCKET, "Key": key}
    client.put_object(**name, Body=b"odd")
    assert client.get_object(**name)["Body"].read() == b"odd"
    assert key in listed(client, BUCKET)


def test_errors_are_the_servers_own(client):
    with refused("NoSuchKey", 404):
        client.get_object(Bucket=BUCKET, Key=unique("no-such-key"))
    with refused("NoSuchBucket", 404):
        client.list_objects_v2(Bucket="no-such-bucket-here")
