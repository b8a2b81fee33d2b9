"""Nothing hidden: what was made with the providers' own tools."""

import json
import urllib.request
import uuid

import pytest

from batches import await_end, read_job, start_job, upload_input
from clients import Endpoint, unique
from cluster import Cluster, running
from processes import wait_until
from records import GEMINI, OPENAI


def call(url, body=None, method=None, **headers):
    """One JSON call to a provider, as its own tools make it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    named.setdefault("content-type", "application/json")
    request = urllib.request.Request(url, data, named, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, json.loads(answer.read() or b"{}")


class OpenAiTool:
    provider = OPENAI

    def __init__(self, cluster):
        self._base = cluster.openai.url
        self._key = {"authorization": "Bearer sk-example"}

    def upload(self, content):
        boundary = uuid.uuid4().hex
        part = f"--{boundary}\r\nContent-Disposition: form-data; name="
        body = (
            f'{part}"purpose"\r\n\r\nbatch\r\n'
            f'{part}"file"; filename="native.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        _, file = call(
            f"{self._base}/files",
            body,
            content_type=f"multipart/form-data; boundary={boundary}",
            **self._key,
        )
        return file["id"]

    def delete(self, file_id):
        call(f"{self._base}/files/{file_id}", method="DELETE", **self._key)

    def start(self, file_id, _name):
        _, batch = call(
            f"{self._base}/batches",
            {
                "input_file_id": file_id,
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
            },
            **self._key,
        )
        return batch["id"]

    def cancel(self, batch_id):
        call(f"{self._base}/batches/{batch_id}/cancel", b"", **self._key)

    def find(self, job_id):
        """The native id of the batch that bears a gateway's job id."""
        _, page = call(f"{self._base}/batches?limit=100", **self._key)
        return next(
            batch["id"]
            for batch in page["data"]
            if job_id in (batch.get("metadata") or {}).values()
        )


class GeminiTool:
    provider = GEMINI

    def __init__(self, cluster):
        self._base = cluster.gemini.url
        self._key = {"x_goog_api_key": "gemini-example"}

    def upload(self, content):
        headers, _ = call(
            f"{self._base}/upload/v1beta/files",
            {"file": {"displayName": "native", "mimeType": "application/jsonl"}},
            x_goog_upload_protocol="resumable",
            x_goog_upload_command="start",
            x_goog_upload_header_content_length=str(len(content)),
            x_goog_upload_header_content_type="application/jsonl",
            **self._key,
        )
        _, answer = call(
            headers["x-goog-upload-url"],
            content,
            content_type="application/octet-stream",
            x_goog_upload_offset="0",
            x_goog_upload_command="upload, finalize",
            **self._key,
        )
        name = answer["file"]["name"]
        wait_until(f"{name} is ready", lambda: self._state(name) == "ACTIVE")
        return name.removeprefix("files/")

    def _state(self, name):
        _, file = call(f"{self._base}/v1beta/{name}", **self._key)
        return file["state"]

    def delete(self, file_id):
        call(
            f"{self._base}/v1beta/files/{file_id}", method="DELETE", **self._key
        )

    def start(self, file_id, name):
        _, operation = call(
            f"{self._base}/v1beta/models/{GEMINI.model}:batchGenerateContent",
            {
                "batch": {
                    "displayName": name,
                    "inputConfig": {"fileName": f"files/{file_id}"},
                }
            },
            **self._key,
        )
        return operation["name"].removeprefix("batches/")

    def cancel(self, batch_id):
        call(
            f"{self._base}/v1beta/batches/{batch_id}:cancel", {}, **self._key
        )

    def find(self, job_id):
        _, page = call(
            f"{self._base}/v1beta/batches?pageSize=100", **self._key
        )
        return next(
            operation["name"].removeprefix("batches/")
            for operation in page["operations"]
            if job_id in operation["metadata"]["displayName"]
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Slow enough that a batch can be seen, and stopped, while it runs."""
    simulators = Cluster(tmp_path_factory.mktemp("native"), pace_ms=1200)
    yield simulators
    simulators.stop()


@pytest.fixture(scope="module")
def endpoint(cluster, tmp_path_factory):
    with running(cluster.serve(tmp_path_factory.mktemp("native"))) as program:
        yield Endpoint(program.url)


@pytest.fixture(params=[OpenAiTool, GeminiTool], ids=["openai", "gemini"])
def tool(request, cluster):
    return request.param(cluster)


# Two seconds are promised; the rest is for a busy machine.
SEEN_SECONDS = 4


def await_known(client, native_id):
    def known():
        try:
            return read_job(client, native_id)
        except client.exceptions.ResourceNotFoundException:
            return None

    return wait_until("the batch is known", known, SEEN_SECONDS)


def find_listed(client, native_id):
    """The one job whose native id is that; lists are read to the end."""
    state = read_job(client, native_id)
    pages = client.get_paginator("list_model_invocation_jobs").paginate()
    listed = [
        job
        for page in pages
        for job in page["invocationJobSummaries"]
        if job["jobArn"] == state["jobArn"]
    ]
    return listed[0] if len(listed) == 1 else None


def test_a_foreign_file_is_listed_read_and_deleted_by_its_id(endpoint, tool):
    body = tool.provider.make_input()
    file_id = tool.upload(body)
    client = endpoint.s3(tool.provider.name)

    def listed_files():
        page = client.list_objects_v2(Bucket="any-bucket", Prefix=file_id)
        return [
            (entry["Key"], entry["ETag"], entry["Size"])
            for entry in page.get("Contents", [])
        ]

    wait_until("it is listed", listed_files, SEEN_SECONDS)
    assert listed_files() == [(file_id, f'"{file_id}"', len(body))]
    head = client.head_object(Bucket="any-bucket", Key="a", IfMatch=file_id)
    assert head["ContentLength"] == len(body)
    client.delete_object(Bucket="any-bucket", Key="a", IfMatch=file_id)
    assert listed_files() == []


def test_a_file_that_the_provider_no_longer_has_is_not_listed(endpoint, tool):
    bucket, key, file_id = upload_input(endpoint, tool.provider)
    tool.delete(file_id)
    client = endpoint.s3(tool.provider.name)
    wait_until(
        "the loss is seen",
        lambda: client.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 0,
        SEEN_SECONDS,
    )


def test_a_foreign_batch_is_listed_and_read(endpoint, tool):
    native_id = tool.start(
        tool.upload(tool.provider.make_input()), unique("native")
    )
    client = endpoint.bedrock(tool.provider.name)
    await_known(client, native_id)
    state = await_end(client, native_id)
    assert (state["status"], state["totalRecordCount"]) == ("Completed", 3)
    listed = wait_until("it is listed", lambda: find_listed(client, native_id), 5)
    assert listed["jobName"]
    # Its id is stable, and every spelling finds it.
    assert read_job(client, state["jobArn"])["jobArn"] == state["jobArn"]


def test_a_foreign_batch_can_be_stopped(endpoint, tool):
    native_id = tool.start(
        tool.upload(tool.provider.make_input()), unique("native")
    )
    client = endpoint.bedrock(tool.provider.name)
    await_known(client, native_id)
    client.stop_model_invocation_job(jobIdentifier=native_id)
    assert await_end(client, native_id)["status"] == "Stopped"


def test_a_job_is_found_by_the_providers_own_id(endpoint, tool):
    job = start_job(endpoint, tool.provider)
    client = endpoint.bedrock(tool.provider.name)
    assert read_job(client, tool.find(job.id))["jobArn"] == job.arn
    page = client.list_model_invocation_jobs(maxResults=1000)
    found = [item["jobArn"] for item in page["invocationJobSummaries"]]
    assert found.count(job.arn) == 1


def test_a_stop_with_the_providers_own_tool_is_seen(endpoint, tool):
    job = start_job(endpoint, tool.provider)
    tool.cancel(tool.find(job.id))
    client = endpoint.bedrock(tool.provider.name)
    wait_until(
        "the stop is seen",
        lambda: read_job(client, job.arn)["status"] in ("Stopping", "Stopped"),
        SEEN_SECONDS,
    )
