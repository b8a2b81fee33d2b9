"""Objects, their keys, ranges, conditions and checksums, said to both."""

import base64
import datetime
import hashlib

from checksums import crc32c, crc64nvme
from fidelity import case

BODY = b"0123456789" * 10
PART = bytes(range(256)) * 20_480  # S3's smallest part, 5 MiB.
NOWHERE = "no-such-bucket-here"
LONG_AGO = datetime.datetime(2001, 1, 1)
FAR_OFF = datetime.datetime(2037, 1, 1)

# Keys that a client, a signature or a file system might trip over.
ODD_KEYS = {
    "spaces and plus": "a b+c d.jsonl",
    "percent": "100%/25%25.jsonl",
    "encoded slash": "a%2Fb",
    "unicode": "日本語/файл-ü.jsonl",
    "decomposed": "u\u0308.jsonl",
    "astral": "😀.jsonl",
    "url characters": "question?mark&amp;=#hash;:@,$!*'().jsonl",
    "xml characters": "quote'\"<tag>]]>.jsonl",
    "tilde": "~tilde/~.jsonl",
    "dots in names": "...a/.b/c..jsonl",
    "folder marker": "folder/",
    "backslash": "a\\b^c`d|e{f}.jsonl",
    "long segment": "x" * 200,
}
RANGES = [
    "bytes=0-0",
    "bytes=2-5",
    "bytes=90-",
    "bytes=-7",
    "bytes=-1000",
    "bytes=0-1000",
    "bytes=100-",
    "bytes=100-200",
    "bytes=-0",
    "bytes=5-2",
    "bytes=a-b",
    "bytes=0-1,4-5",
    "items=0-1",
]


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def with_header(name, value):
    """Changes a signed request; the value None removes the header."""

    def change(headers):
        for given in [given for given in headers if given.lower() == name]:
            del headers[given]
        if value is not None:
            headers[name] = value

    return change


# ---------------------------------------------------------------- objects


@case()
def an_object_lives(talk):
    talk.put_object(Key="k", Body=BODY, Metadata={"team": "red", "n": "1"})
    talk.head_object(Key="k")
    talk.get_object(Key="k")
    talk.put_object(Key="k", Body=b"other")
    talk.get_object(Key="k")
    talk.delete_object(Key="k")
    talk.head_object(Key="k")
    talk.get_object(Key="k")
    talk.delete_object(Key="k")


@case()
def an_empty_object(talk):
    talk.put_object(Key="k", Body=b"")
    talk.get_object(Key="k")
    talk.get_object(Key="k", Range="bytes=0-1")
    talk.head_object(Key="k")


@case()
def stored_headers(talk):
    talk.put_object(
        Key="k",
        Body=BODY,
        CacheControl="max-age=60, private",
        ContentDisposition='attachment; filename="a b.txt"',
        ContentEncoding="deflate, gzip",
        ContentLanguage="de, en",
        ContentType="text/plain; charset=utf-8",
        Expires=FAR_OFF,
    )
    talk.head_object(Key="k")
    talk.get_object(Key="k")


@case()
def metadata_in_utf8(talk):
    name, value = "x-amz-meta-name", "Grüße aus 東京"
    # Signed as text, sent as its bytes, each of which Python shows as one
    # character.
    sent = with_header(name, value.encode().decode("latin-1"))
    talk.send("PUT", "/k", {name: value}, BODY, change=sent)
    talk.send("HEAD", "/k")


@case()
def response_overrides(talk):
    talk.put_object(Key="k", Body=BODY, ContentType="text/plain")
    overrides = {
        "ResponseCacheControl": "no-cache",
        "ResponseContentDisposition": "attachment; filename=x",
        "ResponseContentEncoding": "identity",
        "ResponseContentLanguage": "fr",
        "ResponseContentType": "text/csv",
        "ResponseExpires": FAR_OFF,
    }
    talk.get_object(Key="k", **overrides)
    talk.head_object(Key="k", **overrides)


@case(ODD_KEYS)
def odd_key(talk, key):
    talk.put_object(Key=key, Body=b"" if key.endswith("/") else BODY)
    talk.head_object(Key=key)
    talk.get_object(Key=key)
    talk.list_objects_v2()
    talk.list_objects_v2(Prefix=key[:3], EncodingType="url")
    talk.copy_object(Key="copy", CopySource={"Bucket": talk.bucket, "Key": key})
    talk.delete_objects(Delete={"Objects": [{"Key": key}]})
    talk.head_object(Key=key)


@case(strict=True, own_words=True)
def a_key_too_long(talk):
    talk.put_object(Key="x" * 1025, Body=BODY)
    talk.head_object(Key="x" * 1025)


@case()
def what_is_not_there(talk):
    talk.get_object(Bucket=NOWHERE, Key="k")
    talk.head_object(Bucket=NOWHERE, Key="k")
    talk.put_object(Bucket=NOWHERE, Key="k", Body=BODY)
    talk.delete_object(Bucket=NOWHERE, Key="k")
    talk.list_objects(Bucket=NOWHERE)
    talk.list_objects_v2(Bucket=NOWHERE)
    talk.head_bucket(Bucket=NOWHERE)
    talk.delete_bucket(Bucket=NOWHERE)
    talk.get_bucket_location(Bucket=NOWHERE)


@case()
def buckets(talk):
    talk.head_bucket()
    talk.get_bucket_location()
    talk.create_bucket()
    talk.list_buckets(Prefix=talk.bucket)
    talk.put_object(Key="k", Body=BODY)
    talk.delete_bucket()
    talk.delete_object(Key="k")
    talk.delete_bucket()
    talk.head_bucket()


@case()
def bucket_names_that_s3_refuses(talk):
    for name in ("UPPER-case", "ab", "under_score", "192.168.5.4"):
        talk.create_bucket(Bucket=name)


# ----------------------------------------------------- ranges, conditions


@case(RANGES)
def range_of(talk, value):
    talk.put_object(Key="k", Body=BODY)
    talk.get_object(Key="k", Range=value)
    talk.head_object(Key="k", Range=value)


@case()
def conditions_of_a_read(talk):
    etag = talk.put_object(Key="k", Body=BODY)["ETag"]
    conditions = [
        {"IfMatch": etag},
        {"IfMatch": "*"},
        {"IfMatch": '"other"'},
        {"IfNoneMatch": etag},
        {"IfNoneMatch": "*"},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": LONG_AGO},
        {"IfUnmodifiedSince": LONG_AGO},
        {"IfUnmodifiedSince": FAR_OFF},
        {"IfMatch": etag, "IfUnmodifiedSince": LONG_AGO},
        {"IfNoneMatch": '"other"', "IfModifiedSince": LONG_AGO},
        {"IfMatch": etag, "Range": "bytes=1-2"},
    ]
    for condition in conditions:
        talk.get_object(Key="k", **condition)
        talk.head_object(Key="k", **condition)
    talk.get_object(Key="gone", IfMatch=etag)
    talk.get_object(Key="gone", IfNoneMatch="*")


@case()
def conditions_of_a_write(talk):
    talk.put_object(Key="k", Body=BODY, IfMatch='"other"')
    etag = talk.put_object(Key="k", Body=BODY, IfNoneMatch="*")["ETag"]
    talk.put_object(Key="k", Body=b"new", IfNoneMatch="*")
    talk.put_object(Key="k", Body=b"new", IfMatch='"other"')
    talk.get_object(Key="k")
    talk.put_object(Key="k", Body=b"new", IfMatch=etag)
    talk.delete_object(Key="k", IfMatch='"other"')
    talk.get_object(Key="k")


@case()
def refused_before_it_is_sent(talk):
    talk.put_object(Key="k", Body=b"old")
    talk.put_object(Key="k", Body=PART, IfMatch='"other"')
    talk.put_object(Key="k", Body=PART, IfNoneMatch="*")
    talk.put_object(Bucket=NOWHERE, Key="k", Body=PART)
    talk.get_object(Key="k")


# -------------------------------------------------------------- integrity


@case(["CRC32", "SHA1", "SHA256"])
def checksum_that_boto3_computes(talk, algorithm):
    talk.put_object(Key="k", Body=BODY, ChecksumAlgorithm=algorithm)
    talk.head_object(Key="k", ChecksumMode="ENABLED")
    talk.get_object(Key="k", ChecksumMode="ENABLED")
    talk.get_object(Key="k", ChecksumMode="ENABLED", Range="bytes=0-4")
    talk.get_object_attributes(
        Key="k", ObjectAttributes=["Checksum", "ETag", "ObjectSize"]
    )


@case({"CRC32C": crc32c, "CRC64NVME": crc64nvme}, strict=True, own_words=True)
def checksum_that_is_given(talk, algorithm):
    name = f"Checksum{algorithm.__name__.upper()}"
    talk.put_object(Key="k", Body=BODY, **{name: algorithm(BODY)})
    talk.head_object(Key="k", ChecksumMode="ENABLED")
    talk.put_object(Key="k", Body=BODY, **{name: algorithm(b"other")})


@case(strict=True, own_words=True)
def digests_that_do_not_hold(talk):
    talk.put_object(Key="k", Body=BODY, ContentMD5=md5(BODY))
    talk.put_object(Key="k", Body=BODY, ContentMD5=md5(b"other"))
    talk.put_object(Key="k", Body=BODY, ContentMD5="garbage")
    talk.put_object(Key="k", Body=BODY, ChecksumSHA256=sha256(b"other"))
    talk.send("PUT", "/k", {"x-amz-content-sha256": "0" * 64}, BODY)
    talk.send("PUT", "/k", {"x-amz-content-sha256": "garbage"}, BODY)
    talk.send("PUT", "/k", {"x-amz-checksum-none": "AAAA"}, BODY)
    talk.send("PUT", "/k", {"x-amz-sdk-checksum-algorithm": "CRC32"}, BODY)
    talk.get_object(Key="k")


@case(strict=True, own_words=True)
def a_checksum_behind_the_body(talk):
    headers = {
        "content-encoding": "gzip,aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(BODY)),
        "x-amz-trailer": "x-amz-checksum-crc32c",
    }
    for value in (crc32c(BODY), crc32c(b"other")):
        chunk = b"%x\r\n%s\r\n" % (len(BODY), BODY)
        trailer = f"x-amz-checksum-crc32c:{value}\r\n\r\n".encode()
        talk.send("PUT", "/k", headers, chunk + b"0\r\n" + trailer)
    talk.head_object(Key="k", ChecksumMode="ENABLED")
