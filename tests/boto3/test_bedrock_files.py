"""Files of bedrock: what S3 answers reaches the client."""

import datetime
import hashlib

import pytest
from boto3.s3.transfer import TransferConfig

from clients import unique
from errors import refused
from records import BEDROCK
from test_files import ODD_KEYS, RANGES, listed

BUCKET = "your-s3-bucket"
BODY = BEDROCK.make_input()


def put(client, key=None, body=BODY, **members):
    name = {"Bucket": BUCKET, "Key": key or f"{unique('s3')}.jsonl"}
    return name, client.put_object(**name, Body=body, **members)


def test_an_object_comes_back_as_it_was_put(endpoint):
    client = endpoint.s3("bedrock")
    name, answer = put(
        client,
        ContentType="application/jsonl",
        ContentDisposition="inline",
        CacheControl="no-cache",
        Metadata={"project": "alpha"},
    )
    md5 = hashlib.md5(BODY).hexdigest()
    assert answer["ETag"] == f'"{md5}"'
    got = client.get_object(**name)
    assert got["Body"].read() == BODY
    for answer in (got, client.head_object(**name)):
        assert answer["ETag"] == f'"{md5}"'
        assert answer["ContentLength"] == len(BODY)
        assert answer["ContentType"] == "application/jsonl"
        assert answer["ContentDisposition"] == "inline"
        assert answer["CacheControl"] == "no-cache"
        assert answer["Metadata"] == {"project": "alpha"}
        age = datetime.datetime.now(datetime.timezone.utc) - answer["LastModified"]
        assert abs(age) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_any_key_is_put_found_listed_and_deleted(endpoint, key):
    client = endpoint.s3("bedrock")
    name, answer = put(client, key)
    assert client.get_object(**name)["Body"].read() == BODY
    assert listed(client, BUCKET)[key]["ETag"] == answer["ETag"]
    client.delete_object(**name)
    with refused("404", 404):
        client.head_object(**name)


def test_an_empty_object(endpoint):
    client = endpoint.s3("bedrock")
    name, _ = put(client, body=b"")
    answer = client.get_object(**name)
    assert (answer["ContentLength"], answer["Body"].read()) == (0, b"")


@pytest.mark.parametrize(("header", "part"), RANGES)
def test_a_range(gateway, header, part):
    client = gateway.s3("bedrock")
    name, _ = put(client)
    answer = client.get_object(**name, Range=header)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["Body"].read() == BODY[part]


def test_a_range_beyond_the_end(gateway):
    client = gateway.s3("bedrock")
    name, _ = put(client)
    with refused("InvalidRange", 416):
        client.get_object(**name, Range="bytes=999999-")


def test_download_file_in_parallel_ranges(gateway, tmp_path):
    client = gateway.s3("bedrock")
    body = BEDROCK.make_input(300)
    name, _ = put(client, body=body)
    client.download_file(
        *name.values(),
        str(tmp_path / "a"),
        Config=TransferConfig(
            multipart_threshold=1024, multipart_chunksize=10_000
        ),
    )
    assert (tmp_path / "a").read_bytes() == body


def test_conditions(gateway):
    client = gateway.s3("bedrock")
    name, answer = put(client)
    etag = answer["ETag"]
    assert client.get_object(**name, IfMatch=etag)
    with refused("PreconditionFailed", 412):
        client.get_object(**name, IfMatch='"something-else"')
    with refused("304", 304):
        client.get_object(**name, IfNoneMatch=etag)
    with refused("PreconditionFailed", 412):
        client.put_object(**name, Body=BODY, IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        client.delete_object(**name, IfMatch='"something-else"')
    client.delete_object(**name, IfMatch=etag)


def test_errors_are_s3s_own(gateway):
    client = gateway.s3("bedrock")
    with refused("NoSuchKey", 404):
        client.get_object(Bucket=BUCKET, Key="no/such/key")
    with refused("404", 404):
        client.head_object(Bucket=BUCKET, Key="no/such/key")
    with refused("NoSuchBucket", 404):
        client.list_objects_v2(Bucket="no-such-bucket-here")
    with refused("404", 404):
        client.head_bucket(Bucket="no-such-bucket-here")
    with refused("NoSuchBucket", 404):
        client.put_object(Bucket="no-such-bucket-here", Key="a", Body=b"x")


def test_deleting_what_is_not_there_succeeds(gateway):
    answer = gateway.s3("bedrock").delete_object(Bucket=BUCKET, Key="no/such")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_buckets(endpoint):
    client = endpoint.s3("bedrock")
    assert client.head_bucket(Bucket=BUCKET)
    assert BUCKET in [item["Name"] for item in client.list_buckets()["Buckets"]]
