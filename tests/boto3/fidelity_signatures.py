"""Presigned URLs and signatures that are wrong, said to both."""

from fidelity import ACCESS_KEY, case
from fidelity_objects import BODY, with_header


@case()
def presigned(talk):
    key = "a b/ü+c"
    talk.fetch(talk.presign("put_object", Key=key), "PUT", {}, BODY)
    talk.fetch(talk.presign("get_object", Key=key))
    talk.fetch(talk.presign("head_object", Key=key), "HEAD")
    read = talk.presign("get_object", Key=key, ResponseContentType="text/csv")
    talk.fetch(read)
    talk.fetch(read, headers={"range": "bytes=1-2"})
    talk.fetch(talk.presign("list_objects_v2", Prefix="a b"))
    talk.fetch(talk.presign("delete_object", Key=key), "DELETE")


@case(strict=True, own_words=True)
def presigned_wrong(talk):
    talk.put_object(Key="k", Body=BODY)
    url = talk.presign("get_object", Key="k")
    for old, new in {
        "X-Amz-Expires=600": "X-Amz-Expires=601",
        "Expires=600": "Expires=x",
        "=600": "=-5",
        "600": "604801",
        "X-Amz-Expires=600&": "",
        "HMAC-SHA256": "HMAC-SHA1",
        "aws4_request": "aws3_request",
        "%2Fs3%2F": "%2Fec2%2F",
        "X-Amz-Date=20": "X-Amz-Date=30",
        "Signature=": "Signature=0",
    }.items():
        assert old in url
        talk.fetch(url.replace(old, new))
    talk.fetch(url, "HEAD", {})
    talk.fetch(url, "DELETE", {})
    talk.fetch(talk.presign("get_object", 0, Key="k"))


def replaced(old, new):
    def change(headers):
        signed = headers["Authorization"]
        assert old in signed
        headers["Authorization"] = signed.replace(old, new)

    return change


WRONG = {
    "none": with_header("authorization", None),
    "empty": with_header("authorization", ""),
    "garbage": with_header("authorization", "garbage"),
    "basic": with_header("authorization", "Basic YTpi"),
    "version 2": with_header("authorization", f"AWS {ACCESS_KEY}:c2ln"),
    "members twice": with_header("authorization", "AWS4-HMAC-SHA256 a=b, a=c"),
    "another algorithm": replaced("HMAC-SHA256", "HMAC-MD5"),
    "not right": replaced("Signature=", "Signature=0"),
    "of another service": replaced("/s3/", "/ec2/"),
    "of another terminator": replaced("aws4_request", "aws3_request"),
    "of no region": replaced("/us-east-1/", "/"),
    "of no headers": replaced("SignedHeaders=", "Headers="),
    "of no credential": replaced("Credential=", "Cred="),
    "without its value": replaced("Signature=", "Sig="),
    "of no date": with_header("x-amz-date", None),
    "of a bad date": with_header("x-amz-date", "Bad Date"),
    "of the past": with_header("x-amz-date", "20100707T215304Z"),
    "of the future": with_header("x-amz-date", "30100707T215304Z"),
    "without a header": with_header("x-amz-meta-new", "1"),
}


@case(WRONG, strict=True, own_words=True)
def signature(talk, change):
    talk.send("PUT", "/k", body=BODY, change=change)
    talk.send("GET", "/k", change=change)


@case(strict=True, own_words=True)
def signature_of_version_2_and_a_bad_date(talk):
    for date in (None, "", "Bad Date", "Tue, 07 Jul 1950 21:53:04 GMT"):
        changes = [
            with_header("authorization", f"AWS {ACCESS_KEY}:c2ln"),
            with_header("x-amz-date", date),
        ]

        def change(headers, changes=changes):
            for spoil in changes:
                spoil(headers)

        talk.send("PUT", "/k", body=BODY, change=change)


@case(strict=True, own_words=True)
def methods_that_objects_do_not_have(talk):
    for method in ("POST", "PATCH"):
        talk.send(method, "/k")
    talk.fetch(talk.presign("get_object", Key="k"), "OPTIONS", {})
