"""boto3 clients as the documented scripts set them up."""

import dataclasses
import itertools
import typing

import boto3
from botocore.config import Config

REGION = "us-west-2"
_session = boto3.session.Session(
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="example-secret",
    region_name=REGION,
)
_numbers = itertools.count(1)


def unique(prefix):
    """A name that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where a gateway is reached, and whose certificate to trust there."""

    url: str
    ca_path: typing.Optional[str] = None

    def s3(self, provider=None, **options):
        return self._client("s3", "/bedrock/files", provider, options)

    def bedrock(self, provider=None, **options):
        return self._client("bedrock", "/bedrock", provider, options)

    def _client(self, service, path, provider, options):
        config = Config(**{
            # A failure must show as what it is, not after three attempts.
            "retries": {"total_max_attempts": 1},
            "read_timeout": 120,
            **options.pop("config", {}),
        })
        client = _session.client(
            service,
            endpoint_url=self.url + path,
            config=config,
            verify=self.ca_path or True,
            **options,
        )
        if provider is not None:
            client.meta.events.register("before-send", header_hook(provider))
        return client


def header_hook(value):
    def add_header(request, **_):
        request.headers["x-model-provider"] = value

    return add_header
