"""Files that live in OpenAI's and Gemini's own storage."""

import hashlib
import json

import pytest
from boto3.s3.transfer import TransferConfig

from batches import upload_input
from clients import unique
from errors import refused
from records import (
    BEDROCK,
    FILE_BASED,
    GEMINI,
    OPENAI,
    anthropic_input,
)

each_provider = pytest.mark.parametrize("provider", FILE_BASED, ids=str)

ODD_KEYS = [
    "a b/ü+c~(1).jsonl",
    "100%/25%25.jsonl",
    "../x//y/./z.jsonl",
    "/leading/slash.jsonl",
    "trailing space .jsonl",
    "日本語/файл.jsonl",
    "question?mark&amp;#hash.jsonl",
    "quote'\"<tag>.jsonl",
    "no-extension",
    "x" * 1024,
]


def listed(client, bucket, **options):
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, **options
    )
    return {
        entry["Key"]: entry
        for page in pages
        for entry in page.get("Contents", [])
    }


@each_provider
def test_the_etag_is_the_providers_file_id_in_quotes(endpoint, provider):
    answer = endpoint.s3(provider.name).put_object(
        Bucket=provider.input_bucket,
        Key=f"{unique('etag')}.jsonl",
        Body=provider.make_input(),
    )
    assert provider.owns_etag(answer["ETag"])
    assert "files/" not in answer["ETag"]


@each_provider
@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_any_key_is_put_found_listed_and_deleted(endpoint, provider, key):
    client = endpoint.s3(provider.name)
    bucket = unique("odd-keys")
    body = provider.make_input()
    etag = client.put_object(Bucket=bucket, Key=key, Body=body)["ETag"]
    assert provider.owns_etag(etag)
    head = client.head_object(Bucket=bucket, Key=key)
    assert (head["ETag"], head["ContentLength"]) == (etag, len(body))
    entry = listed(client, bucket)[key]
    assert (entry["ETag"], entry["Size"]) == (etag, len(body))
    client.delete_object(Bucket=bucket, Key=key)
    assert key not in listed(client, bucket)


@each_provider
@pytest.mark.parametrize("quoted", ["quoted", "bare"])
def test_if_match_names_a_file_whatever_bucket_and_key_say(
    endpoint, provider, quoted
):
    _, _, file_id = upload_input(endpoint, provider)
    head = endpoint.s3(provider.name).head_object(
        Bucket=unique("elsewhere"),
        Key="never/put",
        IfMatch=f'"{file_id}"' if quoted == "quoted" else file_id,
    )
    assert head["ETag"] == f'"{file_id}"'
    assert head["ContentLength"] == len(provider.make_input())


@each_provider
def test_a_key_that_ends_in_a_file_id_names_the_file(endpoint, provider):
    _, _, file_id = upload_input(endpoint, provider)
    client = endpoint.s3(provider.name)
    for key in (file_id, f"some/folder/{file_id}"):
        head = client.head_object(Bucket=unique("elsewhere"), Key=key)
        assert head["ETag"] == f'"{file_id}"'


@each_provider
def test_what_the_caller_put_is_the_object_and_if_match_compares(
    gateway, provider
):
    bucket, key, file_id = upload_input(gateway, provider)
    _, _, other_id = upload_input(gateway, provider)
    client = gateway.s3(provider.name)
    head = client.head_object(Bucket=bucket, Key=key, IfMatch=f'"{file_id}"')
    assert head["ETag"] == f'"{file_id}"'
    with refused("412", 412):
        client.head_object(Bucket=bucket, Key=key, IfMatch=f'"{other_id}"')
    with refused("PreconditionFailed", 412):
        client.delete_object(Bucket=bucket, Key=key, IfMatch=f'"{other_id}"')
    client.head_object(Bucket=bucket, Key=key)


@each_provider
def test_a_file_id_that_does_not_exist_is_not_found(gateway, provider):
    client = gateway.s3(provider.name)
    _, _, file_id = upload_input(gateway, provider)
    unknown = file_id[:-6] + "zzzzzz"
    with refused("404", 404):
        client.head_object(Bucket="any-bucket", Key="a", IfMatch=unknown)
    with refused("404", 404):
        client.head_object(Bucket="any-bucket", Key=unknown)
    with refused("NoSuchKey", 404):
        client.get_object(Bucket="any-bucket", Key="never-put.jsonl")


@each_provider
def test_overwriting_points_the_key_at_the_new_file(gateway, provider):
    client = gateway.s3(provider.name)
    bucket = unique("overwritten")
    old, new = provider.make_input(1), provider.make_input(2)
    old_etag = client.put_object(Bucket=bucket, Key="a.jsonl", Body=old)["ETag"]
    new_etag = client.put_object(Bucket=bucket, Key="a.jsonl", Body=new)["ETag"]
    assert old_etag != new_etag
    assert client.head_object(Bucket=bucket, Key="a.jsonl")["ETag"] == new_etag
    entries = listed(client, bucket)
    assert entries["a.jsonl"]["ETag"] == new_etag
    # A running job may still read the old file.
    old_entry = entries[old_etag.strip('"')]
    assert (old_entry["ETag"], old_entry["Size"]) == (old_etag, len(old))


@each_provider
def test_a_key_that_the_caller_put_is_deleted_with_its_file(gateway, provider):
    bucket, key, file_id = upload_input(gateway, provider)
    client = gateway.s3(provider.name)
    client.delete_object(Bucket=bucket, Key=key)
    with refused("404", 404):
        client.head_object(Bucket=bucket, Key=key)
    with refused("404", 404):
        client.head_object(Bucket=bucket, Key="other", IfMatch=file_id)
    assert file_id not in listed(client, bucket)


@each_provider
def test_deleting_what_is_not_there_succeeds(endpoint, provider):
    answer = endpoint.s3(provider.name).delete_object(
        Bucket="any-bucket", Key="never/put.jsonl"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


@each_provider
def test_a_file_listed_under_its_id_is_deleted_only_with_if_match(
    gateway, provider
):
    _, _, file_id = upload_input(gateway, provider)
    client = gateway.s3(provider.name)
    bucket = unique("elsewhere")
    assert file_id in listed(client, bucket)
    with refused("AccessDenied", 403) as caught:
        client.delete_object(Bucket=bucket, Key=file_id)
    assert "If-Match" in caught.message
    assert file_id in listed(client, bucket)
    client.delete_object(Bucket=bucket, Key=file_id, IfMatch=f'"{file_id}"')
    assert file_id not in listed(client, bucket)


@each_provider
def test_any_bucket_exists(endpoint, provider):
    client = endpoint.s3(provider.name)
    for bucket in ("abc", "any.bucket-name.1", "Upper_Case"):
        assert client.head_bucket(Bucket=bucket)
        page = client.list_objects_v2(Bucket=bucket, Prefix="nothing/here/")
        assert page["KeyCount"] == 0
    assert "Buckets" in client.list_buckets()


@each_provider
def test_metadata_and_content_type_come_back(endpoint, provider):
    client = endpoint.s3(provider.name)
    place = {"Bucket": unique("described"), "Key": "a.jsonl"}
    client.put_object(
        **place,
        Body=provider.make_input(),
        ContentType="application/jsonl; charset=utf-8",
        ContentDisposition='attachment; filename="a.jsonl"',
        CacheControl="max-age=60",
        Metadata={"project": "alpha", "run-id": "42"},
    )
    answers = [client.head_object(**place)]
    if provider is OPENAI:
        answers.append(client.get_object(**place))
    for answer in answers:
        assert answer["ContentType"] == "application/jsonl; charset=utf-8"
        assert answer["ContentDisposition"] == 'attachment; filename="a.jsonl"'
        assert answer["CacheControl"] == "max-age=60"
        assert answer["Metadata"] == {"project": "alpha", "run-id": "42"}


def test_an_openai_file_can_be_read(endpoint):
    bucket, key, file_id = upload_input(endpoint, OPENAI)
    client = endpoint.s3("openai")
    answer = client.get_object(Bucket=bucket, Key=key)
    assert answer["ETag"] == f'"{file_id}"'
    assert answer["ContentLength"] == len(OPENAI.make_input())
    assert answer["Body"].read() == OPENAI.make_input()
    by_id = client.get_object(Bucket="elsewhere", Key="a", IfMatch=file_id)
    assert by_id["Body"].read() == OPENAI.make_input()


RANGES = [
    ("bytes=0-9", slice(0, 10)),
    ("bytes=10-10", slice(10, 11)),
    ("bytes=100-", slice(100, None)),
    ("bytes=-25", slice(-25, None)),
    ("bytes=5-999999", slice(5, None)),
]


@pytest.mark.parametrize(("header", "part"), RANGES)
def test_a_range_of_an_openai_file(gateway, header, part):
    bucket, key, _ = upload_input(gateway, OPENAI)
    body = OPENAI.make_input()
    want = body[part]
    answer = gateway.s3("openai").get_object(
        Bucket=bucket, Key=key, Range=header
    )
    assert answer["Body"].read() == want
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentLength"] == len(want)
    start, end, _ = part.indices(len(body))
    assert answer["ContentRange"] == f"bytes {start}-{end - 1}/{len(body)}"


def test_a_range_beyond_the_end_is_refused(gateway):
    bucket, key, _ = upload_input(gateway, OPENAI)
    with refused("InvalidRange", 416):
        gateway.s3("openai").get_object(
            Bucket=bucket, Key=key, Range="bytes=999999-"
        )


@pytest.mark.parametrize("header", ["bytes=9-2", "bytes=x-y", "lines=1-2"])
def test_a_range_that_is_none_gives_the_whole_file(gateway, header):
    bucket, key, _ = upload_input(gateway, OPENAI)
    answer = gateway.s3("openai").get_object(
        Bucket=bucket, Key=key, Range=header
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["Body"].read() == OPENAI.make_input()


def test_download_file_reads_an_openai_file_in_parallel_ranges(
    gateway, tmp_path
):
    body = OPENAI.make_input(300)
    bucket, key, _ = upload_input(gateway, OPENAI, body)
    gateway.s3("openai").download_file(
        bucket,
        key,
        str(tmp_path / "a"),
        Config=TransferConfig(
            multipart_threshold=1024, multipart_chunksize=10_000
        ),
    )
    assert (tmp_path / "a").read_bytes() == body


def test_upload_file_and_upload_fileobj_work(endpoint, tmp_path):
    client = endpoint.s3("openai")
    path = tmp_path / "input.jsonl"
    path.write_bytes(OPENAI.make_input())
    client.upload_file(str(path), "openai-files", "by-name.jsonl")
    with path.open("rb") as stream:
        client.upload_fileobj(stream, "openai-files", "by-object.jsonl")
    for key in ("by-name.jsonl", "by-object.jsonl"):
        answer = client.get_object(Bucket="openai-files", Key=key)
        assert answer["Body"].read() == OPENAI.make_input()


def test_an_uploaded_gemini_file_is_not_handed_back(endpoint):
    bucket, key, file_id = upload_input(endpoint, GEMINI)
    client = endpoint.s3("gemini")
    for name in (
        {"Bucket": bucket, "Key": key},
        {"Bucket": "any-bucket", "Key": "a", "IfMatch": file_id},
    ):
        with refused("InvalidObjectState", 403) as caught:
            client.get_object(**name)
        assert "Gemini" in caught.message


@each_provider
def test_conditions_on_reading(gateway, provider):
    bucket, key, file_id = upload_input(gateway, provider)
    client = gateway.s3(provider.name)
    name = {"Bucket": bucket, "Key": key}
    head = client.head_object(**name)
    with refused("304", 304):
        client.head_object(**name, IfNoneMatch=f'"{file_id}"')
    with refused("304", 304):
        client.head_object(**name, IfModifiedSince=head["LastModified"])
    assert client.head_object(**name, IfNoneMatch='"something-else"')
    assert client.head_object(**name, IfUnmodifiedSince=head["LastModified"])


@each_provider
def test_conditions_on_writing(endpoint, provider):
    client = endpoint.s3(provider.name)
    name = {"Bucket": unique("conditional"), "Key": "a.jsonl"}
    body = provider.make_input()
    etag = client.put_object(**name, Body=body, IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        client.put_object(**name, Body=body, IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        client.put_object(**name, Body=body, IfMatch='"something-else"')
    assert client.head_object(**name)["ETag"] == etag
    newer = client.put_object(**name, Body=body, IfMatch=etag)["ETag"]
    assert client.head_object(**name)["ETag"] == newer


FOREIGN_RECORDS = {
    "bedrock": BEDROCK.make_input(),
    "openai": OPENAI.make_input(),
    "gemini": GEMINI.make_input(),
    "anthropic": anthropic_input(),
}


@each_provider
@pytest.mark.parametrize("record_format", list(FOREIGN_RECORDS))
def test_records_in_another_format_rest_with_the_gateway(
    endpoint, provider, record_format
):
    client = endpoint.s3(provider.name)
    name = {"Bucket": unique("formats"), "Key": "a.jsonl"}
    body = FOREIGN_RECORDS[record_format]
    etag = client.put_object(**name, Body=body)["ETag"]
    if record_format == provider.name:
        assert provider.owns_etag(etag)
        return
    check_kept(client, provider, name, etag, body)


@each_provider
@pytest.mark.parametrize("key", ["empty.jsonl", "folder/", "a/b/"])
def test_empty_objects_and_folder_markers_rest_with_the_gateway(
    endpoint, provider, key
):
    client = endpoint.s3(provider.name)
    name = {"Bucket": unique("markers"), "Key": key}
    etag = client.put_object(**name, Body=b"")["ETag"]
    check_kept(client, provider, name, etag, b"")


def check_kept(client, provider, name, etag, body):
    """It behaves as any object, under an id that no provider could mint."""
    assert not provider.owns_etag(etag)
    file_id = etag.strip('"')
    assert client.head_object(**name)["ContentLength"] == len(body)
    answer = client.get_object(**name, IfMatch=etag)
    assert (answer["ETag"], answer["Body"].read()) == (etag, body)
    by_id = client.get_object(Bucket="elsewhere", Key="a", IfMatch=file_id)
    assert by_id["Body"].read() == body
    entry = listed(client, name["Bucket"])[name["Key"]]
    assert (entry["ETag"], entry["Size"]) == (etag, len(body))
    client.delete_object(**name)
    with refused("404", 404):
        client.head_object(**name)


@each_provider
@pytest.mark.parametrize(
    "body",
    [b"not json at all", b"[1, 2, 3]\n", b'{"some": "json"}\n', bytes(range(256))],
    ids=["text", "a list", "an object", "bytes"],
)
def test_content_that_is_no_record_format_goes_to_the_provider(
    endpoint, provider, body
):
    answer = endpoint.s3(provider.name).put_object(
        Bucket=provider.input_bucket, Key=f"{unique('any')}.jsonl", Body=body
    )
    assert provider.owns_etag(answer["ETag"])


@each_provider
def test_a_large_first_record_is_recognised(gateway, provider):
    record = provider.make_record("request-1", "x" * 300_000, provider.model)
    answer = gateway.s3(provider.name).put_object(
        Bucket=provider.input_bucket,
        Key=f"{unique('large')}.jsonl",
        Body=json.dumps(record).encode(),
    )
    assert provider.owns_etag(answer["ETag"])


def test_a_byte_order_mark_and_blank_lines_do_not_hide_the_format(gateway):
    for start in (b"\xef\xbb\xbf", b"\n\n  \n"):
        etag = gateway.s3("openai").put_object(
            Bucket="openai-files",
            Key=f"{unique('marked')}.jsonl",
            Body=start + BEDROCK.make_input(),
        )["ETag"]
        assert not OPENAI.owns_etag(etag)


@each_provider
def test_a_key_longer_than_s3_allows_is_refused(gateway, provider):
    with refused("KeyTooLongError", 400):
        gateway.s3(provider.name).put_object(
            Bucket="any-bucket", Key="x" * 1025, Body=provider.make_input()
        )


@each_provider
def test_metadata_larger_than_s3_allows_is_refused(gateway, provider):
    with refused("MetadataTooLarge", 400):
        gateway.s3(provider.name).put_object(
            Bucket="any-bucket",
            Key="a.jsonl",
            Body=provider.make_input(),
            Metadata={"large": "x" * 2049},
        )


@each_provider
def test_a_body_passes_through_byte_for_byte(endpoint, provider):
    """Gemini files cannot be read back, so their size has to do there."""
    body = provider.make_input(2000)
    bucket, key, _ = upload_input(endpoint, provider, body)
    client = endpoint.s3(provider.name)
    assert client.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)
    if provider is OPENAI:
        answer = client.get_object(Bucket=bucket, Key=key)
        digest = hashlib.sha256(answer["Body"].read()).hexdigest()
        assert digest == hashlib.sha256(body).hexdigest()
