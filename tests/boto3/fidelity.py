"""Says the same to two S3 endpoints and tells what each answered."""

import dataclasses
import hashlib
import io
import itertools
import re
import typing
import urllib.parse
import xml.etree.ElementTree

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from raw_http import send

REGION = "us-east-1"
ACCESS_KEY = "AKIDFIDELITY"
SECRET_KEY = "fidelity-secret"

# Beside `x-amz-*`: whatever else a server sends is about the connection or
# about itself.
COMPARED_HEADERS = {
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-range",
    "content-type",
    "etag",
    "expires",
    "last-modified",
}
# Two exchanges never have the same ids; moto also echoes the request.
IGNORED_HEADERS = {
    "x-amz-content-sha256",
    "x-amz-id-2",
    "x-amz-request-id",
    "x-amz-sdk-checksum-algorithm",
}
# The last one not every server names.
IGNORED_ELEMENTS = {"RequestId", "HostId", "Resource"}
TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"
    r"|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"
    r"|\w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}"
)


@dataclasses.dataclass(frozen=True)
class Case:
    """What is said to both, and how their answers are compared."""

    talk: typing.Callable
    # Needs a server that checks and validates all that S3 does.
    strict: bool = False
    # The gateway refuses by itself: same code, but in its own words.
    own_words: bool = False


CASES = {}
_numbers = itertools.count(1)


def case(rows=None, **options):
    """Adds a case that is named for its function; one a row, where given.

    The function is told to whom it talks and, with rows, the row's value.
    """

    def add(function):
        name = function.__name__
        if rows is None:
            CASES[name] = Case(function, **options)
        for row in rows or ():
            value = rows[row] if isinstance(rows, dict) else row
            CASES[f"{name} {row}"] = Case(
                lambda talk, value=value: function(talk, value), **options
            )
        return function

    return add


class GivenHashAuth(S3SigV4Auth):
    """Signs what it is told of the body, right or wrong."""

    def __init__(self, body_hash):
        super().__init__(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
        self._body_hash = body_hash

    def payload(self, request):
        return self._body_hash


class Talk:
    """One endpoint, a bucket of its own there, and all that was answered.

    Every method of boto3's client is here, with the bucket filled in; a
    refusal is an answer like any other.
    """

    def __init__(self, base_url, bucket):
        self.bucket = bucket
        self._exchanges = []
        self._base_url = base_url
        self._hidden = {bucket: "BUCKET"}
        self._client = boto3.client(
            "s3",
            endpoint_url=base_url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(
                signature_version="s3v4", retries={"total_max_attempts": 1}
            ),
        )
        self._client.meta.events.register("after-call.s3", self._note_call)

    def __getattr__(self, operation):
        method = getattr(self._client, operation)

        def call(**arguments):
            if operation != "list_buckets":
                arguments.setdefault("Bucket", self.bucket)
            try:
                return method(**arguments)
            except ClientError as error:
                return error.response

        return call

    def hide(self, name, value):
        """The servers need not choose the same value here."""
        self._hidden[value] = name
        return value

    def presign(self, operation, expires_seconds=600, **arguments):
        return self._client.generate_presigned_url(
            operation,
            Params={"Bucket": self.bucket, **arguments},
            ExpiresIn=expires_seconds,
        )

    def fetch(self, url, method="GET", headers=None, body=None):
        """A request that is not signed here; the URL may hold a signature."""
        host = urllib.parse.urlsplit(url).netloc
        target = url.split(host, 1)[1]
        answer = send(self._base_url, method, target, headers, body)
        self._note(method, answer.status, answer.headers, answer.body)

    def send(self, method, path="", headers=None, body=b"", change=None):
        """A request signed as it is given, which `change` may then spoil.

        `path` follows the bucket, percent-encoded, with its query.
        """
        url = f"{self._base_url}/{self.bucket}{path}"
        given = dict(headers or {})
        body_hash = given.pop("x-amz-content-sha256", None)
        request = AWSRequest(method, url, given, body)
        GivenHashAuth(
            body_hash or hashlib.sha256(body).hexdigest()
        ).add_auth(request)
        signed = dict(request.headers.items())
        if change is not None:
            change(signed)
        self.fetch(url, method, signed, body)

    def _note_call(self, http_response, parsed, model, **_):
        body = parsed.get("Body")
        if body is None:
            content = http_response.content
        else:
            content = body.read()
            parsed["Body"] = io.BytesIO(content)
        status, headers = http_response.status_code, http_response.headers
        self._note(model.name, status, headers, content)

    def _note(self, operation, status, headers, body):
        self._exchanges.append((operation, status, headers, body))

    def report(self, own_words):
        """Every exchange, without what no two servers have in common."""
        return [
            {
                "operation": operation,
                "status": status,
                "headers": self._headers(headers),
                "body": self._body(headers, body, own_words),
            }
            for operation, status, headers, body in self._exchanges
        ]

    def _headers(self, headers):
        return {
            name.lower(): self._text(value)
            for name, value in headers.items()
            if name.lower() in COMPARED_HEADERS
            or name.lower().startswith("x-amz-")
            and name.lower() not in IGNORED_HEADERS
        }

    def _body(self, headers, body, own_words):
        if "xml" not in headers.get("content-type", "") or not body:
            return body
        root = xml.etree.ElementTree.fromstring(body)
        if own_words and root.tag == "Error":
            return root.findtext("Code")
        return self._element(root)

    def _element(self, element):
        children = [
            self._element(child)
            for child in element
            if local_name(child) not in IGNORED_ELEMENTS
        ]
        text = self._text(element.text or "")
        return (local_name(element), children or text)

    def _text(self, text):
        for value, name in self._hidden.items():
            text = text.replace(value, name)
        return TIME.sub("TIME", text)


def local_name(element):
    return element.tag.rsplit("}", 1)[-1]


def compare(case, gateway, server):
    """What both answered, each about a bucket with a name of one length."""
    number = next(_numbers)
    reports = []
    for base_url, letter in ((server, "s"), (gateway, "g")):
        talk = Talk(base_url, f"fidelity-{letter}{number:04}")
        talk.create_bucket()
        case.talk(talk)
        reports.append(talk.report(case.own_words))
    expected, seen = reports
    assert len(expected) > 1, "the case says nothing"
    return expected, seen
