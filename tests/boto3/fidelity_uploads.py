"""Multipart uploads and copies, said to both."""

from checksums import crc64nvme
from fidelity import case
from fidelity_objects import BODY, LONG_AGO, NOWHERE, PART, md5, sha256


def begin(talk, key="k", **arguments):
    answer = talk.create_multipart_upload(Key=key, **arguments)
    upload_id = talk.hide("UPLOAD", answer.get("UploadId", "none"))
    return {"Key": key, "UploadId": upload_id}


def send_parts(talk, upload, *bodies):
    """The parts' list for CompleteMultipartUpload."""
    return [
        {
            "PartNumber": number,
            "ETag": talk.upload_part(
                **upload, PartNumber=number, Body=body
            ).get("ETag", ""),
        }
        for number, body in enumerate(bodies, 1)
    ]


def complete(talk, upload, parts, **more):
    talk.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": parts}, **more
    )


@case()
def an_upload_in_parts(talk):
    upload = begin(talk, Metadata={"a": "b"}, ContentType="x/y")
    talk.list_multipart_uploads()
    parts = send_parts(talk, upload, PART, BODY)
    talk.list_parts(**upload)
    talk.list_parts(**upload, MaxParts=1)
    talk.list_parts(**upload, PartNumberMarker=1)
    complete(talk, upload, parts)
    talk.head_object(Key="k")
    talk.head_object(Key="k", PartNumber=1)
    talk.get_object(Key="k", PartNumber=2)
    talk.get_object(Key="k", PartNumber=3)
    talk.get_object(Key="k", Range="bytes=5242870-5242890")
    talk.get_object_attributes(
        Key="k", ObjectAttributes=["ObjectParts", "ETag", "ObjectSize"]
    )
    talk.list_parts(**upload)
    complete(talk, upload, parts)


@case()
def an_upload_with_checksums(talk):
    upload = begin(talk, ChecksumAlgorithm="SHA256")
    parts = []
    for number, body in enumerate([PART, BODY], 1):
        answer = talk.upload_part(
            **upload,
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm="SHA256",
        )
        names = ("ETag", "ChecksumSHA256")
        given = {name: answer.get(name, "") for name in names}
        parts.append({"PartNumber": number, **given})
    talk.list_parts(**upload)
    wrong = [{**part, "ChecksumSHA256": sha256(b"other")} for part in parts]
    complete(talk, upload, wrong)
    complete(talk, upload, parts)
    talk.head_object(Key="k", ChecksumMode="ENABLED")
    talk.get_object_attributes(
        Key="k", ObjectAttributes=["Checksum", "ObjectParts"]
    )


@case()
def an_upload_with_a_checksum_of_the_whole(talk):
    upload = begin(
        talk, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
    )
    part = talk.upload_part(
        **upload, PartNumber=1, Body=BODY, ChecksumCRC64NVME=crc64nvme(BODY)
    )
    parts = [{"PartNumber": 1, "ETag": part.get("ETag", "")}]
    for checksum in (crc64nvme(b"other"), crc64nvme(BODY)):
        complete(
            talk,
            upload,
            parts,
            ChecksumType="FULL_OBJECT",
            ChecksumCRC64NVME=checksum,
        )
    talk.head_object(Key="k", ChecksumMode="ENABLED")


@case(strict=True, own_words=True)
def completions_that_are_wrong(talk):
    upload = begin(talk)
    parts = send_parts(talk, upload, PART, BODY)
    complete(talk, upload, parts[::-1])
    complete(talk, upload, [])
    complete(talk, upload, [{"PartNumber": 1, "ETag": md5(b"")}])
    complete(talk, upload, [*parts, {**parts[0], "PartNumber": 3}])
    for body in (b"", b"<not-xml", b"<Wrong/>"):
        talk.send("POST", f"/k?uploadId={upload['UploadId']}", body=body)
    complete(talk, upload, parts)


@case()
def parts_that_are_too_small(talk):
    upload = begin(talk)
    complete(talk, upload, send_parts(talk, upload, BODY, BODY))


@case()
def a_part_sent_again(talk):
    upload = begin(talk)
    send_parts(talk, upload, b"first try")
    complete(talk, upload, send_parts(talk, upload, BODY))
    talk.get_object(Key="k")


@case(strict=True)
def part_numbers(talk):
    upload = begin(talk)
    for number in (0, 10_001, 10_000):
        talk.upload_part(**upload, PartNumber=number, Body=BODY)
    for number in ("", "x", "-1", "1.5"):
        query = f"uploadId={upload['UploadId']}&partNumber={number}"
        talk.send("PUT", f"/k?{query}", body=BODY)


@case(strict=True)
def uploads_given_up(talk):
    upload = begin(talk)
    send_parts(talk, upload, BODY)
    talk.abort_multipart_upload(**upload)
    talk.abort_multipart_upload(**upload)
    talk.list_parts(**upload)
    send_parts(talk, upload, BODY)
    talk.list_multipart_uploads()
    unknown = {"Key": "k", "UploadId": "unknown"}
    complete(talk, unknown, [{"PartNumber": 1, "ETag": md5(b"")}])
    send_parts(talk, unknown, PART)
    talk.head_object(Key="k")


@case()
def uploads_listed(talk):
    for key in ("a/1", "a/2", "b"):
        begin(talk, key)
    talk.list_multipart_uploads(Prefix="a/")
    talk.list_multipart_uploads(Delimiter="/")
    talk.list_multipart_uploads(KeyMarker="a/1")
    talk.list_multipart_uploads(EncodingType="url")


@case()
def an_upload_under_conditions(talk):
    etag = talk.put_object(Key="k", Body=BODY)["ETag"]
    upload = begin(talk)
    parts = send_parts(talk, upload, b"new")
    complete(talk, upload, parts, IfNoneMatch="*")
    complete(talk, upload, parts, IfMatch='"other"')
    complete(talk, upload, parts, IfMatch=etag)
    talk.get_object(Key="k")


@case(strict=True)
def parts_copied(talk):
    talk.put_object(Key="source é", Body=BODY)
    upload = begin(talk)
    source = {"Bucket": talk.bucket, "Key": "source é"}
    for number, span in enumerate(
        ["bytes=0-49", "bytes=50-99", "bytes=50-100", "bytes=5-2", "0-1"], 1
    ):
        talk.upload_part_copy(
            **upload, PartNumber=number, CopySource=source, CopySourceRange=span
        )
    gone = {**source, "Key": "gone"}
    talk.upload_part_copy(**upload, PartNumber=9, CopySource=gone)
    talk.list_parts(**upload)


@case()
def copies(talk):
    talk.put_object(
        Key="a b+ü", Body=BODY, Metadata={"a": "b"}, ContentType="text/plain"
    )
    source = {"Bucket": talk.bucket, "Key": "a b+ü"}
    talk.copy_object(Key="plain", CopySource=source)
    talk.head_object(Key="plain")
    talk.copy_object(
        Key="replaced",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"c": "d"},
        ContentType="text/csv",
    )
    talk.head_object(Key="replaced")
    talk.copy_object(Key="a b+ü", CopySource=source)
    talk.copy_object(
        Key="a b+ü",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"e": "f"},
    )
    talk.head_object(Key="a b+ü")


@case(strict=True, own_words=True)
def copies_from_nowhere(talk):
    talk.put_object(Key="k", Body=BODY)
    for source in (
        f"{talk.bucket}/gone",
        f"{NOWHERE}/k",
        f"/{talk.bucket}/k",
        f"{talk.bucket}/k?versionId=null",
        talk.bucket,
    ):
        talk.send("PUT", "/copy", {"x-amz-copy-source": source})


@case()
def copies_under_conditions(talk):
    etag = talk.put_object(Key="k", Body=BODY)["ETag"]
    source = {"Bucket": talk.bucket, "Key": "k"}
    for condition in (
        {"CopySourceIfMatch": etag},
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfNoneMatch": '"other"'},
        {"CopySourceIfModifiedSince": LONG_AGO},
        {"CopySourceIfUnmodifiedSince": LONG_AGO},
    ):
        talk.copy_object(Key="copy", CopySource=source, **condition)
