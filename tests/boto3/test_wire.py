"""What clients other than boto3 see, and what nonsense gets for an answer."""

import json

import pytest

from batches import await_end, start_job, upload_input
from clients import unique
from errors import refused
from processes import wait_until
from raw_http import send, send_lines
from records import ALL, BEDROCK, OPENAI

each_provider = pytest.mark.parametrize("provider", ALL, ids=str)
PROVIDERS = ["bedrock", "openai", "gemini", "anthropic"]
GZIP = {"accept-encoding": "gzip, deflate, br"}


@pytest.mark.parametrize("provider", [BEDROCK, OPENAI], ids=str)
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/xml", "application/jsonl"],
)
def test_a_client_that_accepts_gzip_gets_strong_etags_and_exact_lengths(
    gateway, provider, content_type
):
    body = provider.make_input(200)
    key = f"{unique('gzip')}.jsonl"
    etag = gateway.s3(provider.name).put_object(
        Bucket="your-s3-bucket", Key=key, Body=body, ContentType=content_type
    )["ETag"]
    headers = {**GZIP, "x-model-provider": provider.name}
    target = f"/bedrock/files/your-s3-bucket/{key}"
    got = send(gateway.url, "GET", target, headers)
    head = send(gateway.url, "HEAD", target, headers)
    assert got.body == body
    for answer in (got, head):
        assert answer.status == 200
        assert answer.headers["ETag"] == etag
        assert answer.headers["Content-Length"] == str(len(body))
        assert answer.headers["Content-Encoding"] is None
        assert answer.headers["Content-Type"] == content_type
    part = send(gateway.url, "GET", target, {**headers, "range": "bytes=0-99"})
    assert (part.status, part.body) == (206, body[:100])
    assert part.headers["Content-Length"] == "100"
    assert part.headers["ETag"] == etag


@each_provider
def test_lists_and_jobs_have_exact_lengths_too(gateway, provider):
    job = start_job(gateway, provider)
    await_end(gateway.bedrock(provider.name), job.arn)
    targets = [
        f"/bedrock/model-invocation-job/{job.id}",
        "/bedrock/model-invocation-jobs",
        "/bedrock/foundation-models",
    ]
    if provider is not BEDROCK:
        # S3 itself sends its lists in chunks of unknown number.
        targets.append("/bedrock/files/your-s3-bucket?list-type=2")
    for target in targets:
        answer = send(
            gateway.url,
            "GET",
            target,
            {**GZIP, "x-model-provider": provider.name},
        )
        assert answer.status == 200
        assert answer.headers["Content-Encoding"] is None
        assert answer.headers["Content-Length"] == str(len(answer.body))


def request_ids(answer):
    return answer.headers["x-amz-request-id"] or answer.headers["x-amzn-requestid"]


def test_every_answer_has_an_id_of_its_own_that_the_log_has_too(
    gateway, sandbox
):
    targets = [
        "/bedrock/files",
        "/bedrock/files/any-bucket/no-such-key",
        "/bedrock/files/any-bucket?acl",
        "/bedrock/model-invocation-jobs",
        "/bedrock/model-invocation-job/abcdefghijkl",
        "/bedrock/no-such-operation",
    ]
    ids = [
        request_ids(
            send(gateway.url, "GET", target, {"x-model-provider": "openai"})
        )
        for target in targets * 2
    ]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    for request_id in ids:
        wait_until(
            f"the log line of {request_id}",
            lambda: any(request_id in line for line in list(sandbox.lines)),
            5,
        )


def test_an_s3_error_is_xml(gateway):
    target = "/bedrock/files/any-bucket/no%20such%20key"
    answer = send(gateway.url, "GET", target, {"x-model-provider": "openai"})
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("application/xml")
    assert answer.xml_text("Code") == "NoSuchKey"
    assert answer.xml_text("Message")
    assert answer.xml_text("Resource")
    assert answer.xml_text("RequestId") == answer.headers["x-amz-request-id"]


def test_a_control_plane_error_is_json(gateway):
    answer = send(
        gateway.url,
        "GET",
        "/bedrock/model-invocation-job/abcdefghijkl",
        {"x-model-provider": "openai"},
    )
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert answer.headers["x-amzn-requestid"]
    assert "abcdefghijkl" in answer.json()["message"]


BUCKET_RESOURCES = [
    "accelerate", "acl", "analytics", "cors", "encryption",
    "intelligent-tiering", "inventory", "lifecycle", "logging", "metrics",
    "notification", "object-lock", "ownershipControls", "policy",
    "policyStatus", "publicAccessBlock", "replication", "requestPayment",
    "tagging", "versioning", "versions", "website",
]
OBJECT_RESOURCES = [
    "acl", "legal-hold", "retention", "tagging", "torrent", "select",
]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_s3_has_and_the_gateway_has_not_is_never_a_silent_success(
    gateway, provider
):
    headers = {"x-model-provider": provider}
    targets = [f"any-bucket?{name}" for name in BUCKET_RESOURCES]
    targets += [f"any-bucket/a-key?{name}" for name in OBJECT_RESOURCES]
    for target in targets:
        for method in ("GET", "PUT"):
            answer = send(
                gateway.url, method, f"/bedrock/files/{target}", headers
            )
            assert answer.status == 501, f"{method} {target}"
            assert answer.xml_text("Code") == "NotImplemented"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["no-such-operation", "guardrails", "custom-models", ""],
)
def test_an_unknown_control_plane_operation_is_named(gateway, method, path):
    answer = send(gateway.url, method, f"/bedrock/{path}", {})
    assert answer.status == 404
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"
    assert answer.json()["message"]


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "BREW"])
def test_a_method_that_s3_does_not_have(gateway, method):
    answer = send(gateway.url, method, "/bedrock/files/any-bucket/a-key", {})
    assert answer.status in (400, 405, 501)
    if answer.body and answer.headers["Content-Type"]:
        assert answer.xml_text("Code") in ("MethodNotAllowed", "NotImplemented")


def test_a_browser_is_refused_as_by_a_bucket_without_cors(gateway):
    target = "/bedrock/files/any-bucket/a-key"
    bare = send(gateway.url, "OPTIONS", target, {})
    assert (bare.status, bare.xml_text("Code")) == (400, "BadRequest")
    asks = {"Origin": "http://a.example", "Access-Control-Request-Method": "GET"}
    answer = send(gateway.url, "OPTIONS", target, asks)
    assert (answer.status, answer.xml_text("Code")) == (403, "AccessForbidden")
    assert "Access-Control-Allow-Origin" not in answer.headers


MALFORMED_TARGETS = {
    "broken escape": "/bedrock/files/any-bucket/%zz",
    "half an escape": "/bedrock/files/any-bucket/a%2",
    "no utf-8": "/bedrock/files/any-bucket/%ff%fe",
    "a broken escape in a job": "/bedrock/model-invocation-job/%zz",
    "an escaped zero in a job": "/bedrock/model-invocation-job/%00",
    "a long job id": "/bedrock/model-invocation-job/" + "x" * 5000,
    "a long key": "/bedrock/files/any-bucket/" + "x" * 6000,
    "a long bucket": "/bedrock/files/" + "x" * 300,
    "a long token": "/bedrock/model-invocation-jobs?nextToken=" + "x" * 5000,
}


@pytest.mark.parametrize("name", list(MALFORMED_TARGETS))
@pytest.mark.parametrize("provider", ["openai", "bedrock"])
def test_a_malformed_target_is_a_client_error(gateway, provider, name):
    target = MALFORMED_TARGETS[name]
    answer = send(gateway.url, "GET", target, {"x-model-provider": provider})
    assert 400 <= answer.status < 500
    if target.startswith("/bedrock/files"):
        assert answer.xml_text("Code")
    else:
        assert answer.headers["x-amzn-errortype"]
        assert answer.json()["message"]


@pytest.mark.parametrize("provider", ["openai", "gemini", "bedrock"])
def test_a_key_with_a_control_character_is_listed_as_it_was_put(
    gateway, provider
):
    """XML cannot hold it, so only an encoded list can."""
    folder = unique("control")
    target = f"/bedrock/files/your-s3-bucket/{folder}%01%0A%09end"
    put = send(
        gateway.url,
        "PUT",
        target,
        {"x-model-provider": provider},
        OPENAI.make_input(),
    )
    assert put.status in (200, 400)
    if put.status == 400:
        assert put.xml_text("Code")
        return
    page = gateway.s3(provider).list_objects_v2(
        Bucket="your-s3-bucket", Prefix=folder
    )
    assert [item["Key"] for item in page["Contents"]] == [
        f"{folder}\x01\n\tend"
    ]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("content-md5", "x" * 100, "InvalidDigest"),
        ("x-amz-content-sha256", "nonsense", "InvalidArgument"),
        ("x-amz-checksum-crc32", "nonsense", "InvalidRequest"),
        ("x-amz-checksum-sha256", "AAAA", "InvalidRequest"),
    ],
)
def test_a_malformed_digest_header(gateway, name, value, code):
    answer = send(
        gateway.url,
        "PUT",
        f"/bedrock/files/any-bucket/{unique('header')}.jsonl",
        {"x-model-provider": "openai", name: value},
        OPENAI.make_input(),
    )
    assert answer.status == 400
    assert answer.xml_text("Code") in (code, "InvalidDigest", "InvalidRequest")


def test_no_s3_route_redirects(gateway):
    for path in (
        "/bedrock/files", "/bedrock/files/", "/bedrock/files/b",
        "/bedrock/files/b/", "/bedrock/files//b", "/bedrock/files/b//k",
        "/bedrock//files/b", "/bedrock/files/../files/b",
    ):
        for provider in PROVIDERS:
            answer = send(
                gateway.url, "GET", path, {"x-model-provider": provider}
            )
            assert not 300 <= answer.status < 400


def test_health_and_readiness(gateway):
    for path in ("/healthz", "/readyz"):
        assert send(gateway.url, "GET", path).status == 200


def test_a_client_that_goes_away_harms_no_one(gateway):
    for _ in range(20):
        send_lines(
            gateway.url,
            [
                "PUT /bedrock/files/any-bucket/gone.jsonl HTTP/1.1",
                "x-model-provider: openai",
                "Content-Length: 1000000",
            ],
            json.dumps({"custom_id": "1"}).encode(),
            close_early=True,
        )
    upload_input(gateway, OPENAI)


def test_a_head_error_has_no_body_and_the_right_status(gateway):
    with refused("404", 404):
        gateway.s3("openai").head_object(Bucket="any-bucket", Key="nothing")
