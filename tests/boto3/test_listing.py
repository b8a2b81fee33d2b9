"""ListObjectsV2, alike for every provider."""

import datetime

import pytest

from clients import unique
from raw_http import send
from records import ALL, FILE_BASED

each_provider = pytest.mark.parametrize("provider", ALL, ids=str)

NAMES = [
    "a.jsonl",
    "b+c d.jsonl",
    "b/1.jsonl",
    "b/2.jsonl",
    "b/deep/3.jsonl",
    "c%2F.jsonl",
    "é.jsonl",
    "\U0001f600.jsonl",
]


@pytest.fixture(scope="module")
def tree(gateway):
    """The same keys for every provider, below a folder of their own."""
    folder = unique("listing") + "/"
    for provider in ALL:
        client = gateway.s3(provider.name)
        for name in reversed(NAMES):
            client.put_object(
                Bucket="your-s3-bucket",
                Key=folder + name,
                Body=provider.make_input(1),
            )
    return folder


def list_page(gateway, provider, folder, **options):
    return gateway.s3(provider.name).list_objects_v2(
        Bucket="your-s3-bucket",
        Prefix=folder + options.pop("Prefix", ""),
        **options,
    )


def names(page, folder):
    return [
        entry["Key"][len(folder):] for entry in page.get("Contents", [])
    ]


@each_provider
def test_keys_come_in_the_order_of_their_utf8_bytes(gateway, tree, provider):
    page = list_page(gateway, provider, tree)
    assert names(page, tree) == sorted(NAMES, key=str.encode)
    assert page["KeyCount"] == len(NAMES)
    assert page["IsTruncated"] is False
    now = datetime.datetime.now(datetime.timezone.utc)
    for entry in page["Contents"]:
        assert entry["Size"] == len(provider.make_input(1))
        assert provider.owns_etag(entry["ETag"])
        assert abs(now - entry["LastModified"]) < datetime.timedelta(minutes=30)


@each_provider
def test_a_prefix(gateway, tree, provider):
    page = list_page(gateway, provider, tree, Prefix="b")
    assert names(page, tree) == [
        "b+c d.jsonl", "b/1.jsonl", "b/2.jsonl", "b/deep/3.jsonl",
    ]


@each_provider
def test_a_delimiter_rolls_folders_up(gateway, tree, provider):
    page = list_page(gateway, provider, tree, Delimiter="/")
    assert [item["Prefix"] for item in page["CommonPrefixes"]] == [f"{tree}b/"]
    assert "b/1.jsonl" not in names(page, tree)
    assert page["KeyCount"] == len(names(page, tree)) + 1
    page = list_page(gateway, provider, tree, Prefix="b/", Delimiter="/")
    assert names(page, tree) == ["b/1.jsonl", "b/2.jsonl"]
    assert [item["Prefix"] for item in page["CommonPrefixes"]] == [
        f"{tree}b/deep/"
    ]


@each_provider
def test_start_after(gateway, tree, provider):
    page = list_page(gateway, provider, tree, StartAfter=f"{tree}b/2.jsonl")
    ordered = sorted(NAMES, key=str.encode)
    assert names(page, tree) == ordered[ordered.index("b/2.jsonl") + 1:]
    assert page["StartAfter"] == f"{tree}b/2.jsonl"


@each_provider
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 1000])
def test_pages_give_every_key_once(gateway, tree, provider, size):
    pages = list(
        gateway.s3(provider.name).get_paginator("list_objects_v2").paginate(
            Bucket="your-s3-bucket",
            Prefix=tree,
            PaginationConfig={"PageSize": size},
        )
    )
    found = [name for page in pages for name in names(page, tree)]
    assert found == sorted(NAMES, key=str.encode)
    assert all(page["KeyCount"] <= size for page in pages)
    assert len(pages) == -(-len(NAMES) // size)


@each_provider
def test_pages_with_a_delimiter_give_every_prefix_once(gateway, tree, provider):
    pages = list(
        gateway.s3(provider.name).get_paginator("list_objects_v2").paginate(
            Bucket="your-s3-bucket",
            Prefix=tree,
            Delimiter="/",
            PaginationConfig={"PageSize": 1},
        )
    )
    prefixes = [
        item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])
    ]
    assert prefixes == [f"{tree}b/"]
    found = [name for page in pages for name in names(page, tree)]
    assert found == [
        name for name in sorted(NAMES, key=str.encode) if "/" not in name
    ]


@each_provider
def test_no_keys_asked_for_gives_none(gateway, tree, provider):
    page = list_page(gateway, provider, tree, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


@each_provider
@pytest.mark.parametrize(
    "query",
    ["max-keys=-1", "max-keys=many", "continuation-token=nonsense%21",
     "encoding-type=morse"],
)
def test_a_broken_parameter_is_an_invalid_argument(gateway, provider, query):
    answer = send(
        gateway.url,
        "GET",
        f"/bedrock/files/your-s3-bucket?list-type=2&{query}",
        {"x-model-provider": provider.name},
    )
    assert (answer.status, answer.xml_text("Code")) == (400, "InvalidArgument")


@each_provider
@pytest.mark.parametrize("path", ["your-s3-bucket", "your-s3-bucket/"])
def test_keys_are_encoded_only_when_asked(gateway, tree, provider, path):
    def first_key(query):
        answer = send(
            gateway.url,
            "GET",
            f"/bedrock/files/{path}?list-type=2&prefix={tree}b%2B{query}",
            {"x-model-provider": provider.name},
        )
        assert answer.status == 200
        return answer.xml_text("Key"), answer.xml_text("EncodingType")

    assert first_key("") == (f"{tree}b+c d.jsonl", None)
    key, encoding = first_key("&encoding-type=url")
    assert encoding == "url"
    assert key in (f"{tree}b%2Bc+d.jsonl", f"{tree}b%2Bc%20d.jsonl")


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_files_of_other_buckets_are_listed_under_their_ids(gateway, provider):
    client = gateway.s3(provider.name)
    bucket = unique("origin")
    etag = client.put_object(
        Bucket=bucket, Key="a.jsonl", Body=provider.make_input(1)
    )["ETag"]
    file_id = etag.strip('"')
    here = client.list_objects_v2(Bucket=bucket, Prefix="a.jsonl")
    assert [entry["ETag"] for entry in here["Contents"]] == [etag]
    assert client.list_objects_v2(Bucket=bucket, Prefix=file_id)["KeyCount"] == 0
    elsewhere = client.list_objects_v2(Bucket=unique("other"), Prefix=file_id)
    assert [entry["Key"] for entry in elsewhere["Contents"]] == [file_id]
    assert elsewhere["Contents"][0]["ETag"] == etag


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_a_bucket_name_that_s3_forbids_is_refused(gateway, provider):
    for bucket in ("a%20b", "a%2Fb", "%C3%BC"):
        answer = send(
            gateway.url,
            "GET",
            f"/bedrock/files/{bucket}?list-type=2",
            {"x-model-provider": provider.name},
        )
        assert answer.status == 400
        assert answer.xml_text("Code") == "InvalidBucketName"
