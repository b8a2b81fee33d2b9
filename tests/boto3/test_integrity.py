"""What the client says of a body is checked before a provider has it whole."""

import base64
import hashlib
import json
import zlib

import pytest

from batches import upload_input
from checksums import crc32c, crc64nvme
from clients import unique
from errors import refused
from processes import wait_until
from raw_http import send, send_lines
from records import ALL, BEDROCK, OPENAI
from test_files import listed

each_provider = pytest.mark.parametrize("provider", ALL, ids=str)
BUCKET = "your-s3-bucket"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def encode(digest):
    return base64.b64encode(digest).decode()


def crc32(data):
    return encode(zlib.crc32(data).to_bytes(4, "big"))


@pytest.fixture
def place(gateway, provider):
    """An address that must still be empty after a refused upload."""
    client = gateway.s3(provider.name)
    bucket = BUCKET if provider.name == "bedrock" else unique("integrity")
    key = f"{unique('refused')}.jsonl"

    def count_files():
        # Another bucket shows every file of the account under its id.
        other = BUCKET if provider.name == "bedrock" else "elsewhere"
        return len(listed(client, other))

    before = count_files()

    class Place:
        name = {"Bucket": bucket, "Key": key}
        target = f"/bedrock/files/{bucket}/{key}"

        @staticmethod
        def assert_empty():
            with refused("404", 404):
                client.head_object(Bucket=bucket, Key=key)
            wait_until(
                "no file is left behind", lambda: count_files() == before, 10
            )

    return Place


@each_provider
@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_each_checksum_that_boto3_computes_is_accepted(
    endpoint, provider, algorithm
):
    body = provider.make_input()
    answer = endpoint.s3(provider.name).put_object(
        Bucket=BUCKET,
        Key=f"{unique('sum')}.jsonl",
        Body=body,
        ChecksumAlgorithm=algorithm,
    )
    assert provider.owns_etag(answer["ETag"])
    sums = {
        "CRC32": crc32(body),
        "SHA1": encode(hashlib.sha1(body).digest()),
        "SHA256": encode(hashlib.sha256(body).digest()),
    }
    assert answer[f"Checksum{algorithm}"] == sums[algorithm]


READY_MADE = {
    "ChecksumCRC32": crc32,
    "ChecksumCRC32C": crc32c,
    "ChecksumCRC64NVME": crc64nvme,
    "ChecksumSHA1": lambda data: encode(hashlib.sha1(data).digest()),
    "ChecksumSHA256": lambda data: encode(hashlib.sha256(data).digest()),
}


@each_provider
@pytest.mark.parametrize("member", list(READY_MADE))
def test_a_ready_made_checksum_is_accepted_where_it_is_right(
    endpoint, provider, member
):
    if (provider, member) == (BEDROCK, "ChecksumCRC64NVME"):
        pytest.skip("the sandbox's S3 does not know it")
    body = provider.make_input()
    answer = endpoint.s3(provider.name).put_object(
        Bucket=BUCKET,
        Key=f"{unique('sum')}.jsonl",
        Body=body,
        **{member: READY_MADE[member](body)},
    )
    assert provider.owns_etag(answer["ETag"])


@each_provider
@pytest.mark.parametrize("member", list(READY_MADE))
def test_a_ready_made_checksum_that_is_wrong_is_refused(
    endpoint, provider, place, member
):
    with refused("BadDigest", 400):
        endpoint.s3(provider.name).put_object(
            **place.name,
            Body=provider.make_input(),
            **{member: READY_MADE[member](b"something else")},
        )
    place.assert_empty()


@each_provider
def test_a_wrong_content_md5_is_refused(endpoint, provider, place):
    with refused("BadDigest", 400):
        endpoint.s3(provider.name).put_object(
            **place.name,
            Body=provider.make_input(),
            ContentMD5=encode(hashlib.md5(b"something else").digest()),
        )
    place.assert_empty()


@each_provider
def test_a_right_content_md5_is_accepted(endpoint, provider):
    body = provider.make_input()
    answer = endpoint.s3(provider.name).put_object(
        Bucket=BUCKET,
        Key=f"{unique('md5')}.jsonl",
        Body=body,
        ContentMD5=encode(hashlib.md5(body).digest()),
    )
    assert provider.owns_etag(answer["ETag"])


@each_provider
@pytest.mark.parametrize("digest", ["nonsense", "AAAA", "!!!="])
def test_a_malformed_content_md5_is_refused(gateway, provider, place, digest):
    with refused("InvalidDigest", 400):
        gateway.s3(provider.name).put_object(
            **place.name, Body=provider.make_input(), ContentMD5=digest
        )
    place.assert_empty()


@each_provider
def test_empty_bodies_are_checked_too(gateway, provider, place):
    with refused("BadDigest", 400):
        gateway.s3(provider.name).put_object(
            **place.name, Body=b"", ChecksumCRC32=crc32(b"something")
        )
    place.assert_empty()


@each_provider
def test_records_that_would_rest_with_the_gateway_are_checked_too(
    gateway, provider, place
):
    foreign = OPENAI if provider.name == "gemini" else ALL[2]
    with refused("BadDigest", 400):
        gateway.s3(provider.name).put_object(
            **place.name,
            Body=foreign.make_input(),
            ChecksumCRC32=crc32(b"something"),
        )
    place.assert_empty()


def put_raw(gateway, provider, place, body, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(
        gateway.url,
        "PUT",
        place.target,
        {"x-model-provider": provider.name, **named},
        body,
    )


@each_provider
def test_a_payload_hash_that_does_not_fit_is_refused(gateway, provider, place):
    answer = put_raw(
        gateway,
        provider,
        place,
        provider.make_input(),
        x_amz_content_sha256=hashlib.sha256(b"something else").hexdigest(),
    )
    assert answer.status == 400
    assert answer.xml_text("Code") == "XAmzContentSHA256Mismatch"
    place.assert_empty()


def frame(body, chunk_bytes=100):
    """A body in aws-chunked framing, without its trailer."""
    framed = b""
    for start in range(0, len(body), chunk_bytes):
        chunk = body[start:start + chunk_bytes]
        framed += b"%x\r\n%s\r\n" % (len(chunk), chunk)
    return framed + b"0\r\n"


def trailer(checksum):
    return f"x-amz-checksum-crc32:{checksum}\r\n\r\n".encode()


def put_chunked(gateway, provider, place, framed, decoded_bytes):
    return put_raw(
        gateway,
        provider,
        place,
        framed,
        content_encoding="aws-chunked",
        x_amz_content_sha256=TRAILER,
        x_amz_decoded_content_length=str(decoded_bytes),
        x_amz_trailer="x-amz-checksum-crc32",
    )


@each_provider
@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 100_000])
def test_aws_chunked_bodies_are_decoded(gateway, provider, place, chunk_bytes):
    body = provider.make_input()
    framed = frame(body, chunk_bytes) + trailer(crc32(body))
    answer = put_chunked(gateway, provider, place, framed, len(body))
    assert answer.status == 200
    assert provider.owns_etag(answer.headers["ETag"])
    head = gateway.s3(provider.name).head_object(**place.name)
    assert head["ContentLength"] == len(body)
    # The framing is the transport's, not the object's.
    assert "aws-chunked" not in head.get("ContentEncoding", "")


def broken_frames():
    body = OPENAI.make_input()
    good = frame(body)
    end = trailer(crc32(body))
    return {
        "a wrong checksum": (good + trailer(crc32(b"other")), 0, "BadDigest"),
        "a missing trailer": (good + b"\r\n", 0, None),
        "a longer body": (good + end, -1, "IncompleteBody"),
        "a shorter body": (good + end, 1, "IncompleteBody"),
        "no last chunk": (good[:-3], 0, "IncompleteBody"),
        "a chunk cut short": (good[:60], 0, "IncompleteBody"),
        "a size that is no number": (b"zz\r\n" + good, 0, None),
        "a size without an end": (b"1" * 100_000, 0, None),
        "no framing at all": (body, 0, None),
    }


@each_provider
@pytest.mark.parametrize("name", list(broken_frames()))
def test_a_broken_aws_chunked_body_is_refused(gateway, provider, place, name):
    framed, excess_bytes, code = broken_frames()[name]
    decoded_bytes = len(OPENAI.make_input()) + excess_bytes
    answer = put_chunked(gateway, provider, place, framed, decoded_bytes)
    assert answer.status == 400
    assert answer.xml_text("Code") == (code or answer.xml_text("Code"))
    place.assert_empty()


@each_provider
def test_a_body_cut_short_leaves_nothing(gateway, provider, place):
    answer = send_lines(
        gateway.url,
        [
            f"PUT {place.target} HTTP/1.1",
            f"x-model-provider: {provider.name}",
            "Content-Length: 100000",
        ],
        provider.make_input(),
        close_early=True,
    )
    assert answer is None or answer.status == 400
    place.assert_empty()


@each_provider
def test_a_chunked_body_cut_short_leaves_nothing(gateway, provider, place):
    body = provider.make_input()
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    answer = send_lines(
        gateway.url,
        [
            f"PUT {place.target} HTTP/1.1",
            f"x-model-provider: {provider.name}",
            "Transfer-Encoding: chunked",
            "Content-Encoding: aws-chunked",
            f"x-amz-content-sha256: {TRAILER}",
            f"x-amz-decoded-content-length: {len(body)}",
            "x-amz-trailer: x-amz-checksum-crc32",
        ],
        b"%x\r\n%s\r\n" % (len(chunk), chunk),
        close_early=True,
    )
    assert answer is None or answer.status == 400
    place.assert_empty()


@each_provider
def test_a_body_without_a_length_is_refused(gateway, provider, place):
    answer = send_lines(
        gateway.url,
        [
            f"PUT {place.target} HTTP/1.1",
            f"x-model-provider: {provider.name}",
            "Transfer-Encoding: chunked",
        ],
        b"5\r\nhello\r\n0\r\n\r\n",
    )
    assert answer.status == 411
    assert answer.xml_text("Code") == "MissingContentLength"
    place.assert_empty()


@pytest.mark.parametrize(
    ("provider", "limit"), [("openai", 512 * 10**6), ("gemini", 2 * 10**9)]
)
def test_a_body_over_the_providers_limit_is_refused_unread(
    gateway, provider, limit
):
    answer = send_lines(
        gateway.url,
        [
            "PUT /bedrock/files/any-bucket/large.jsonl HTTP/1.1",
            f"x-model-provider: {provider}",
            f"Content-Length: {limit * 2}",
        ],
        json.dumps({"custom_id": "1"}).encode(),
    )
    assert answer.status == 400
    assert answer.xml_text("Code") == "EntityTooLarge"


@each_provider
def test_what_get_returns_passes_boto3s_own_check(endpoint, provider):
    """boto3 verifies a checksum that comes with a whole object."""
    if provider.name == "gemini":
        body = OPENAI.make_input()  # kept by the gateway, so it can be read
    else:
        body = provider.make_input()
    bucket, key, _ = upload_input(endpoint, provider, body)
    client = endpoint.s3(provider.name)
    whole = client.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert whole["Body"].read() == body
    part = client.get_object(
        Bucket=bucket, Key=key, ChecksumMode="ENABLED", Range="bytes=0-9"
    )
    assert part["Body"].read() == body[:10]
