"""The end of a process, wanted or not, and what the next one still knows."""

import http.client
import socket
import urllib.parse

import pytest

from batches import await_end, make_request, read_job, start_job, upload_input
from clients import Endpoint, unique
from cluster import running
from errors import refused
from processes import start_sandbox, wait_until
from raw_http import send
from records import ALL, BEDROCK, FILE_BASED, OPENAI


def test_a_kill_loses_no_key_no_file_and_no_job(cluster, tmp_path):
    known = {}
    with running(cluster.serve(tmp_path)) as program:
        endpoint = Endpoint(program.url)
        for provider in ALL:
            bucket, key, file_id = upload_input(endpoint, provider)
            request = make_request(
                provider, bucket, key, clientRequestToken=unique("token")
            )
            client = endpoint.bedrock(provider.name)
            arn = client.create_model_invocation_job(**request)["jobArn"]
            known[provider] = (bucket, key, file_id, request, arn)
        program.kill()
    with running(cluster.serve(tmp_path)) as program:
        endpoint = Endpoint(program.url)
        for provider, (bucket, key, file_id, request, arn) in known.items():
            s3 = endpoint.s3(provider.name)
            bedrock = endpoint.bedrock(provider.name)
            head = s3.head_object(Bucket=bucket, Key=key)
            assert head["ETag"] == f'"{file_id}"'
            assert head["ContentType"] == "application/jsonl"
            state = read_job(bedrock, arn)
            assert state["jobName"] == request["jobName"]
            page = bedrock.list_model_invocation_jobs(
                nameContains=request["jobName"]
            )
            assert [
                job["jobArn"] for job in page["invocationJobSummaries"]
            ] == [arn]
            again = bedrock.create_model_invocation_job(**request)
            assert again["jobArn"] == arn
            state = await_end(bedrock, arn)
            assert (state["status"], state["successRecordCount"]) == (
                "Completed", 3,
            )


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_a_kill_loses_no_results(cluster, tmp_path, provider):
    with running(cluster.serve(tmp_path)) as program:
        endpoint = Endpoint(program.url)
        job = start_job(endpoint, provider)
        await_end(endpoint.bedrock(provider.name), job.arn)
        program.kill()
    with running(cluster.serve(tmp_path)) as program:
        client = Endpoint(program.url).s3(provider.name)
        page = client.list_objects_v2(
            Bucket=provider.output_bucket, Prefix=job.output_prefix
        )
        assert page["KeyCount"] == 2
        body = client.get_object(
            Bucket=provider.output_bucket,
            Key=f"{job.output_prefix}{job.id}/{job.input_name}.out",
        )["Body"].read()
        assert len(body.splitlines()) == 3


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_a_kill_loses_nothing_that_rests_with_the_gateway(
    cluster, tmp_path, provider
):
    name = {"Bucket": "any-bucket", "Key": "kept.jsonl"}
    body = BEDROCK.make_input()
    with running(cluster.serve(tmp_path)) as program:
        etag = Endpoint(program.url).s3(provider.name).put_object(
            **name, Body=body, Metadata={"project": "alpha"}
        )["ETag"]
        program.kill()
    with running(cluster.serve(tmp_path)) as program:
        answer = Endpoint(program.url).s3(provider.name).get_object(**name)
        assert (answer["ETag"], answer["Body"].read()) == (etag, body)
        assert answer["Metadata"] == {"project": "alpha"}


def test_a_kill_during_an_upload_leaves_nothing_and_harms_no_restart(
    cluster, tmp_path
):
    body = BEDROCK.make_input(1000)
    with running(cluster.serve(tmp_path)) as program:
        with open_upload(program.url, len(body)) as connection:
            connection.sendall(body[:-50])
            wait_until(
                "the store is writing",
                lambda: any(
                    path.is_file() and path.stat().st_size > 0
                    for path in (tmp_path / "objects").rglob("*")
                ),
            )
            program.kill()
    with running(cluster.serve(tmp_path)) as program:
        client = Endpoint(program.url).s3("openai")
        name = {"Bucket": "any-bucket", "Key": "slow.jsonl"}
        with refused("404", 404):
            client.head_object(**name)
        etag = client.put_object(**name, Body=body)["ETag"]
        assert client.get_object(**name, IfMatch=etag)["Body"].read() == body


def open_upload(url, body_bytes):
    """Starts a PutObject and leaves it open."""
    address = urllib.parse.urlsplit(url)
    connection = socket.create_connection(
        (address.hostname, address.port), timeout=30
    )
    head = [
        "PUT /bedrock/files/any-bucket/slow.jsonl HTTP/1.1",
        f"Host: {address.netloc}",
        "x-model-provider: openai",
        f"Content-Length: {body_bytes}",
        "",
        "",
    ]
    connection.sendall("\r\n".join(head).encode())
    return connection


def takes_nothing_new(url):
    """Whether a new client is turned away, at the door or with a 503."""
    try:
        answer = send(url, "GET", "/bedrock/files/any-bucket?list-type=2")
    except (OSError, http.client.HTTPException):
        return True
    return answer.status == 503


def test_sigterm_lets_requests_in_flight_finish(cluster, tmp_path):
    body = OPENAI.make_input()
    with running(cluster.serve(tmp_path)) as program:
        endpoint = Endpoint(program.url)
        # A connection that boto3 keeps open must not hold the exit up.
        endpoint.s3("openai").list_buckets()
        with open_upload(program.url, len(body)) as connection:
            connection.sendall(body[:50])
            wait_until_received(endpoint)
            program.terminate()
            wait_until(
                "nothing new is taken",
                lambda: takes_nothing_new(program.url),
                10,
            )
            assert program.exit_code is None
            connection.sendall(body[50:])
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert program.wait() == 0


def wait_until_received(endpoint):
    """The gateway answers another request, so it has taken the first one."""
    assert send(endpoint.url, "GET", "/healthz").status == 200


def check_end(program):
    """A running job and a kept connection do not hold the exit up."""
    with running(program):
        endpoint = Endpoint(program.url)
        job = start_job(endpoint, OPENAI)
        client = endpoint.bedrock("openai")
        assert read_job(client, job.arn)
        program.terminate()
        assert program.wait() == 0


def test_sigterm_ends_the_gateway_with_success(cluster, tmp_path):
    check_end(cluster.serve(tmp_path))


def test_sigterm_ends_the_sandbox_with_success(tmp_path):
    check_end(start_sandbox(tmp_path, pace_ms=60_000))
