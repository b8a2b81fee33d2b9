"""Batch jobs: creating, reading, stopping."""

import datetime
import json
import re
import urllib.parse

import pytest
from botocore.exceptions import ClientError

from batches import (
    TERMINAL,
    await_end,
    make_request,
    read_job,
    start_job,
    upload_input,
)
from clients import unique
from errors import refused
from processes import wait_until
from raw_http import send, send_lines
from records import ALL, BEDROCK, FILE_BASED, OPENAI

each_provider = pytest.mark.parametrize("provider", ALL, ids=str)

RANK = {
    "Submitted": 0,
    "Validating": 1,
    "Scheduled": 2,
    "InProgress": 3,
    "Stopping": 4,
    **dict.fromkeys(TERMINAL, 5),
}
ARN = re.compile(
    r"arn:aws:bedrock:([a-z0-9-]{1,20}):([0-9]{12})"
    r":model-invocation-job/([a-z0-9]{12})"
)


def create(gateway, provider, request):
    return gateway.bedrock(provider.name).create_model_invocation_job(
        **request
    )["jobArn"]


@each_provider
def test_a_job_runs_to_its_end_with_every_member(endpoint, provider):
    started = datetime.datetime.now(datetime.timezone.utc)
    job = start_job(
        endpoint,
        provider,
        clientRequestToken=unique("token"),
        timeoutDurationInHours=48,
        tags=[{"key": "source", "value": "tests"}],
    )
    assert ARN.fullmatch(job.arn)
    state = await_end(endpoint.bedrock(provider.name), job.arn)
    assert state["status"] == "Completed"
    assert state["jobArn"] == job.arn
    assert state["jobName"] == job.name
    assert provider.model in state["modelId"]
    assert state["clientRequestToken"] == job.request["clientRequestToken"]
    assert state["roleArn"]
    assert state["inputDataConfig"] == job.request["inputDataConfig"]
    assert state["outputDataConfig"] == job.request["outputDataConfig"]
    assert state["timeoutDurationInHours"] == 48
    counts = [
        state[f"{kind}RecordCount"]
        for kind in ("total", "processed", "success", "error")
    ]
    assert counts == [3, 3, 3, 0]
    slack = datetime.timedelta(seconds=5)
    assert started - slack <= state["submitTime"] <= state["endTime"]
    assert state["submitTime"] <= state["lastModifiedTime"]
    assert state["jobExpirationTime"] > state["endTime"]


@each_provider
def test_the_statistics_are_there_for_users_of_raw_http(gateway, provider):
    job = start_job(gateway, provider)
    await_end(gateway.bedrock(provider.name), job.arn)
    answer = send(
        gateway.url,
        "GET",
        f"/bedrock/model-invocation-job/{job.id}",
        {"x-model-provider": provider.name},
    )
    assert answer.json()["statistics"] == {
        "totalRecordCount": 3,
        "successfulRecordCount": 3,
        "failedRecordCount": 0,
    }


@each_provider
def test_the_status_only_moves_forward_and_counts_only_grow(
    slow_gateway, provider
):
    job = start_job(slow_gateway, provider)
    client = slow_gateway.bedrock(provider.name)
    states = []

    def ended():
        states.append(read_job(client, job.arn))
        return states[-1]["status"] in TERMINAL

    wait_until("the end of the job", ended, 60)
    ranks = [RANK[state["status"]] for state in states]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) >= 2, "the way there was not seen"
    counted = [state.get("processedRecordCount", 0) for state in states]
    assert counted == sorted(counted)
    assert states[-1]["status"] == "Completed"


@each_provider
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_arns_region_is_the_signatures(gateway, provider, region):
    bucket, key, _ = upload_input(gateway, provider)
    if provider is BEDROCK:
        pytest.skip("real Bedrock's ARNs are its own")
    client = gateway.bedrock(provider.name, region_name=region)
    arn = client.create_model_invocation_job(
        **make_request(provider, bucket, key)
    )["jobArn"]
    assert ARN.fullmatch(arn).group(1) == region
    # It stays, whoever asks.
    assert read_job(gateway.bedrock(provider.name), arn)["jobArn"] == arn


@each_provider
def test_the_same_token_and_request_give_the_same_job(gateway, provider):
    bucket, key, _ = upload_input(gateway, provider)
    request = make_request(
        provider, bucket, key, clientRequestToken=unique("token")
    )
    first = create(gateway, provider, request)
    assert create(gateway, provider, request) == first
    await_end(gateway.bedrock(provider.name), first)
    assert create(gateway, provider, request) == first
    with refused("ConflictException"):
        create(gateway, provider, {**request, "jobName": "another"})
    without_token = {**request}
    del without_token["clientRequestToken"]
    assert create(gateway, provider, without_token) != first


ROLES = ["", "not-required-for-openai", "arn:aws:iam::123456789012:role/x"]


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
@pytest.mark.parametrize("role", ROLES)
def test_any_role_is_accepted_and_echoed(gateway, provider, role):
    job = start_job(gateway, provider, roleArn=role)
    assert read_job(gateway.bedrock(provider.name), job.arn)["roleArn"] == role


@each_provider
def test_no_role_is_needed(gateway, provider):
    bucket, key, _ = upload_input(gateway, provider)
    request = make_request(provider, bucket, key)
    del request["roleArn"]
    answer = send(
        gateway.url,
        "POST",
        "/bedrock/model-invocation-job",
        {"x-model-provider": provider.name, "content-type": "application/json"},
        json.dumps(request),
    )
    assert answer.status == 200
    # boto3 requires the member in the answer.
    state = read_job(gateway.bedrock(provider.name), answer.json()["jobArn"])
    assert "roleArn" in state


@each_provider
def test_every_spelling_of_a_jobs_name_finds_it(gateway, provider):
    job = start_job(gateway, provider)
    spellings = [
        job.id,
        job.arn,
        urllib.parse.quote(job.arn, safe=""),
        urllib.parse.quote(job.arn, safe=":"),
    ]
    for spelling in spellings:
        answer = send(
            gateway.url,
            "GET",
            f"/bedrock/model-invocation-job/{spelling}",
            {"x-model-provider": provider.name},
        )
        assert (answer.status, answer.json()["jobArn"]) == (200, job.arn)


@each_provider
@pytest.mark.parametrize(
    "identifier",
    ["abcdefghijkl",
     "arn:aws:bedrock:us-west-2:123456789012:model-invocation-job/abcdefghijkl"],
)
def test_an_unknown_job_is_not_found(gateway, provider, identifier):
    client = gateway.bedrock(provider.name)
    for call in (
        client.get_model_invocation_job,
        client.stop_model_invocation_job,
    ):
        with refused("ResourceNotFoundException", 404):
            call(jobIdentifier=identifier)


@each_provider
def test_a_stop_is_seen_at_once_and_ends_the_job(slow_gateway, provider):
    job = start_job(slow_gateway, provider)
    client = slow_gateway.bedrock(provider.name)
    client.stop_model_invocation_job(jobIdentifier=job.arn)
    assert read_job(client, job.arn)["status"] in ("Stopping", "Stopped")
    state = await_end(client, job.arn)
    assert state["status"] == "Stopped"
    assert state["endTime"]


@each_provider
def test_a_finished_job_cannot_be_stopped(gateway, provider):
    job = start_job(gateway, provider)
    client = gateway.bedrock(provider.name)
    await_end(client, job.arn)
    with refused("ConflictException"):
        client.stop_model_invocation_job(jobIdentifier=job.arn)


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_the_input_is_found_by_tag_by_key_and_by_last_segment(
    gateway, provider
):
    bucket, key, file_id = upload_input(gateway, provider)
    ways = [
        make_request(provider, bucket, key),
        make_request(provider, "any-bucket", file_id),
        make_request(provider, "any-bucket", f"some/folder/{file_id}"),
        make_request(
            provider,
            "any-bucket",
            "never/put.jsonl",
            tags=[{"key": "file_id", "value": file_id}],
        ),
    ]
    client = gateway.bedrock(provider.name)
    for request in ways:
        arn = create(gateway, provider, request)
        state = await_end(client, arn)
        assert (state["status"], state["successRecordCount"]) == ("Completed", 3)
        assert state["inputDataConfig"] == request["inputDataConfig"]


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_the_tag_wins_over_the_key(gateway, provider):
    bucket, key, _ = upload_input(gateway, provider, provider.make_input(1))
    _, _, file_id = upload_input(gateway, provider, provider.make_input(5))
    arn = create(
        gateway,
        provider,
        make_request(
            provider, bucket, key, tags=[{"key": "file_id", "value": file_id}]
        ),
    )
    state = await_end(gateway.bedrock(provider.name), arn)
    assert state["totalRecordCount"] == 5


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_an_input_that_is_nowhere_names_what_was_tried(gateway, provider):
    request = make_request(provider, "any-bucket", "never/put.jsonl")
    with refused("ValidationException", 400) as caught:
        create(gateway, provider, request)
    assert "any-bucket" in caught.message
    assert "never/put.jsonl" in caught.message


def test_an_input_that_is_nowhere_on_bedrock(gateway):
    request = make_request(BEDROCK, "your-s3-bucket", "never/put.jsonl")
    try:
        arn = create(gateway, BEDROCK, request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException"
        return
    state = await_end(gateway.bedrock("bedrock"), arn)
    assert (state["status"], bool(state["message"])) == ("Failed", True)


def test_the_endpoint_comes_from_the_records_where_no_tag_names_it(gateway):
    record = {
        "custom_id": "request-1",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "text-embedding-3-small", "input": "hello"},
    }
    bucket, key, _ = upload_input(gateway, OPENAI, json.dumps(record).encode())
    request = {
        **make_request(OPENAI, bucket, key),
        "modelId": "text-embedding-3-small",
    }
    state = await_end(gateway.bedrock("openai"), create(gateway, OPENAI, request))
    assert (state["status"], state["successRecordCount"]) == ("Completed", 1)


def test_an_endpoint_that_contradicts_the_records_is_refused(gateway):
    bucket, key, _ = upload_input(gateway, OPENAI)
    request = make_request(
        OPENAI,
        bucket,
        key,
        tags=[{"key": "endpoint", "value": "/v1/embeddings"}],
    )
    with refused("ValidationException", 400) as caught:
        create(gateway, OPENAI, request)
    assert "/v1/embeddings" in caught.message
    assert "/v1/chat/completions" in caught.message


def test_an_endpoint_that_openai_does_not_have_is_refused(gateway):
    bucket, key, _ = upload_input(gateway, OPENAI)
    request = make_request(
        OPENAI, bucket, key, tags=[{"key": "endpoint", "value": "/v1/nothing"}]
    )
    with refused("ValidationException", 400) as caught:
        create(gateway, OPENAI, request)
    assert "/v1/nothing" in caught.message


def test_a_converse_record_needs_no_invocation_type(gateway):
    job = start_job(gateway, BEDROCK)
    state = await_end(gateway.bedrock("bedrock"), job.arn)
    assert state["modelInvocationType"] == "Converse"
    assert state["errorRecordCount"] == 0


def test_an_invoke_model_record_needs_none_either(gateway):
    record = {
        "recordId": "request-1",
        "modelInput": {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "What is 1 + 1?"}],
        },
    }
    job = start_job(gateway, BEDROCK, json.dumps(record).encode())
    state = await_end(gateway.bedrock("bedrock"), job.arn)
    assert state["modelInvocationType"] == "InvokeModel"
    assert (state["status"], state["successRecordCount"]) == ("Completed", 1)


def test_bedrocks_file_id_tag_is_only_kept(gateway):
    job = start_job(
        gateway,
        BEDROCK,
        tags=[
            {"key": "file_id", "value": "no-such-file"},
            {"key": "endpoint", "value": "/v1/no-such-endpoint"},
        ],
    )
    state = await_end(gateway.bedrock("bedrock"), job.arn)
    assert state["status"] == "Completed"


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_an_input_that_is_no_batch_fails_with_the_providers_words(
    gateway, provider
):
    try:
        job = start_job(gateway, provider, b"this is not json\n")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException"
        return
    state = await_end(gateway.bedrock(provider.name), job.arn)
    assert state["status"] == "Failed"
    assert state["message"]


def without(*path):
    def change(request):
        inner = request
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]

    return change


def with_value(name, value):
    def change(request):
        request[name] = value

    return change


def with_uri(member, inner, uri):
    def change(request):
        request[member][inner]["s3Uri"] = uri

    return change


BROKEN_REQUESTS = {
    "no job name": (without("jobName"), "jobName"),
    "no model": (without("modelId"), "modelId"),
    "no input": (without("inputDataConfig"), "inputDataConfig"),
    "no output": (without("outputDataConfig"), "outputDataConfig"),
    "no input uri": (
        without("inputDataConfig", "s3InputDataConfig", "s3Uri"), "s3Uri",
    ),
    "an empty job name": (with_value("jobName", ""), "jobName"),
    "a job name that is too long": (with_value("jobName", "x" * 64), "jobName"),
    "a job name that is a number": (with_value("jobName", 5), "jobName"),
    "too short a time": (
        with_value("timeoutDurationInHours", 23), "timeoutDurationInHours",
    ),
    "too long a time": (
        with_value("timeoutDurationInHours", 169), "timeoutDurationInHours",
    ),
    "an unknown invocation type": (
        with_value("modelInvocationType", "Chat"), "modelInvocationType",
    ),
    "too many tags": (
        with_value(
            "tags", [{"key": f"k{n}", "value": "v"} for n in range(51)]
        ),
        "tags",
    ),
    "a tag without a value": (with_value("tags", [{"key": "k"}]), "tags"),
    "an input that is no s3 uri": (
        with_uri("inputDataConfig", "s3InputDataConfig", "file:///etc/passwd"),
        "s3Uri",
    ),
    "an output that is no s3 uri": (
        with_uri("outputDataConfig", "s3OutputDataConfig", "output"), "s3Uri",
    ),
}


@each_provider
@pytest.mark.parametrize("name", list(BROKEN_REQUESTS))
def test_a_broken_request_is_refused_and_names_the_member(
    gateway, provider, name
):
    change, member = BROKEN_REQUESTS[name]
    bucket, key, _ = upload_input(gateway, provider)
    request = make_request(provider, bucket, key)
    change(request)
    answer = send(
        gateway.url,
        "POST",
        "/bedrock/model-invocation-job",
        {"x-model-provider": provider.name, "content-type": "application/json"},
        json.dumps(request),
    )
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] in (
        "ValidationException", "TooManyTagsException",
    )
    assert member in answer.json()["message"]


@each_provider
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"jobName": "a"'],
    ids=["empty", "cut", "a list", "null", "no utf-8", "unclosed"],
)
def test_a_body_that_is_no_json_object_is_a_client_error(
    gateway, provider, body
):
    answer = send(
        gateway.url,
        "POST",
        "/bedrock/model-invocation-job",
        {"x-model-provider": provider.name, "content-type": "application/json"},
        body,
    )
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] in (
        "ValidationException", "SerializationException",
    )
    assert answer.json()["message"]


def test_a_body_that_is_too_large_is_refused_before_it_has_come(gateway):
    answer = send_lines(
        gateway.url,
        [
            "POST /bedrock/model-invocation-job HTTP/1.1",
            "x-model-provider: openai",
            "Content-Type: application/json",
            "Content-Length: 5000000",
        ],
        b'{"jobName": "',
    )
    assert answer.status in (400, 413)
    assert answer.headers["x-amzn-errortype"]
