"""What a failed call says."""

import contextlib

import pytest
from botocore.exceptions import ClientError


class Caught:
    """The failure, once the block has ended."""

    code = None
    status = None
    message = None


@contextlib.contextmanager
def refused(code, status=None):
    """The block must fail with that error code, and status where given."""
    caught = Caught()
    with pytest.raises(ClientError) as raised:
        yield caught
    answer = raised.value.response
    caught.code = answer["Error"]["Code"]
    caught.status = answer["ResponseMetadata"]["HTTPStatusCode"]
    caught.message = answer["Error"].get("Message", "")
    assert caught.code == code, answer
    assert status is None or caught.status == status, answer
