"""Anthropic has no file storage for batches: what is refused, and how."""

import pytest
from botocore.exceptions import ClientError

from clients import unique
from records import OPENAI, anthropic_input
from batches import make_request

WAY_OUT = ["Anthropic SDK", "ANTHROPIC_STAGED_FILES"]


def s3_calls(client):
    name = {"Bucket": "any-bucket", "Key": "a.jsonl"}
    return {
        "put": lambda: client.put_object(**name, Body=anthropic_input()),
        "put of nothing": lambda: client.put_object(**name, Body=b""),
        "get": lambda: client.get_object(**name),
        "delete": lambda: client.delete_object(**name),
        "list": lambda: client.list_objects_v2(Bucket="any-bucket"),
        "list buckets": client.list_buckets,
    }


@pytest.mark.parametrize(
    "operation",
    ["put", "put of nothing", "get", "delete", "list", "list buckets"],
)
def test_every_s3_operation_is_not_implemented(endpoint, operation):
    with pytest.raises(ClientError) as caught:
        s3_calls(endpoint.s3("anthropic"))[operation]()
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplemented"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    for words in WAY_OUT:
        assert words in answer["Error"]["Message"]


def test_head_has_the_same_status(endpoint):
    with pytest.raises(ClientError) as caught:
        endpoint.s3("anthropic").head_object(Bucket="any-bucket", Key="a")
    assert caught.value.response["Error"]["Code"] == "501"


def test_a_job_is_a_validation_error_with_the_same_advice(endpoint):
    request = make_request(
        OPENAI, "any-bucket", "a.jsonl", jobName=unique("anthropic")
    )
    with pytest.raises(ClientError) as caught:
        endpoint.bedrock("anthropic").create_model_invocation_job(
            **{**request, "modelId": "claude-opus-5-5"}
        )
    answer = caught.value.response
    assert answer["Error"]["Code"] == "ValidationException"
    for words in WAY_OUT:
        assert words in answer["Error"]["Message"]


def test_the_catalogue_works(endpoint):
    bedrock = endpoint.bedrock("anthropic")
    models = bedrock.list_foundation_models()["modelSummaries"]
    assert models
    details = bedrock.get_foundation_model(
        modelIdentifier=models[0]["modelId"]
    )["modelDetails"]
    assert details["modelId"] == models[0]["modelId"]
    assert details["providerName"] == "Anthropic"
