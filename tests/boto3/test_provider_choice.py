"""Which provider a call reaches, and what is said where none can."""

import pytest
from botocore.exceptions import ClientError

from batches import await_end, read_job, start_job, upload_input
from clients import Endpoint, unique
from processes import Program, finops, start_sandbox
from records import ALL, GEMINI, OPENAI

PROVIDER_NAMES = ["bedrock", "openai", "gemini", "anthropic"]


def put_input(client, bucket="openai-files"):
    return client.put_object(
        Bucket=bucket,
        Key=f"{unique('choice')}.jsonl",
        Body=OPENAI.make_input(),
    )["ETag"]


@pytest.mark.parametrize("value", ["OpenAI", "OPENAI", "  openai ", "openai"])
def test_the_header_is_read_in_any_case_and_trimmed(gateway, value):
    assert OPENAI.owns_etag(put_input(gateway.s3(value)))


@pytest.mark.parametrize("value", ["azure", "open ai", "bedrock,openai"])
def test_an_unknown_provider_is_refused_with_the_valid_names(gateway, value):
    for call, code in [
        (gateway.s3(value).list_buckets, "InvalidArgument"),
        (gateway.bedrock(value).list_model_invocation_jobs,
         "ValidationException"),
    ]:
        with pytest.raises(ClientError) as caught:
            call()
        answer = caught.value.response
        assert answer["Error"]["Code"] == code
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        for name in PROVIDER_NAMES:
            assert name in answer["Error"]["Message"]


@pytest.fixture(scope="module")
def bare_gateway(tmp_path_factory):
    """No provider but bedrock has its key."""
    folder = tmp_path_factory.mktemp("bare")
    env = {"FINOPS_PORT": 0, "FINOPS_DATA_DIR": folder}
    program = Program(finops("serve"), env, cwd=folder)
    yield Endpoint(program.url)
    program.stop()


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("gemini", "GEMINI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
    ],
)
def test_a_provider_without_its_key_names_the_variable(
    bare_gateway, provider, variable
):
    bedrock = bare_gateway.bedrock(provider)
    with pytest.raises(ClientError) as caught:
        bedrock.list_foundation_models()
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert variable in caught.value.response["Error"]["Message"]
    if provider != "anthropic":
        with pytest.raises(ClientError) as caught:
            put_input(bare_gateway.s3(provider))
        assert caught.value.response["Error"]["Code"] == "InvalidArgument"
        assert variable in caught.value.response["Error"]["Message"]


def test_anthropics_refusal_comes_before_the_missing_key(bare_gateway):
    with pytest.raises(ClientError) as caught:
        put_input(bare_gateway.s3("anthropic"))
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert "ANTHROPIC_STAGED_FILES" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("provider", ALL, ids=str)
@pytest.mark.parametrize("header", [None, "bedrock", "openai", "gemini"])
def test_a_jobs_arn_wins_over_the_header(gateway, provider, header):
    job = start_job(gateway, provider)
    client = gateway.bedrock(header)
    for identifier in (job.arn, job.id):
        state = read_job(client, identifier)
        assert state["jobArn"] == job.arn
        assert state["jobName"] == job.name


def test_a_stop_finds_its_job_under_any_header(slow_gateway):
    job = start_job(slow_gateway, OPENAI)
    client = slow_gateway.bedrock("gemini")
    client.stop_model_invocation_job(jobIdentifier=job.arn)
    assert await_end(client, job.arn)["status"] == "Stopped"


@pytest.fixture(scope="module")
def mapped_gateway(tmp_path_factory):
    """One bucket belongs to gemini; where nothing tells, it is openai."""
    program = start_sandbox(
        tmp_path_factory.mktemp("mapped"),
        FINOPS_BUCKETS="mapped-to-gemini=gemini",
        FINOPS_DEFAULT_PROVIDER="openai",
    )
    yield Endpoint(program.url)
    program.stop()


def test_a_mapped_bucket_chooses_for_clients_without_the_header(mapped_gateway):
    _, key, _ = upload_input(mapped_gateway, GEMINI)
    etag = put_input(mapped_gateway.s3(), "mapped-to-gemini")
    head = mapped_gateway.s3("gemini").head_object(
        Bucket="any-bucket", Key=key, IfMatch=etag
    )
    assert head["ETag"] == etag


def test_the_header_wins_over_the_bucket(mapped_gateway):
    etag = put_input(mapped_gateway.s3("openai"), "mapped-to-gemini")
    assert OPENAI.owns_etag(etag)


def test_the_configured_default_is_the_last_resort(mapped_gateway):
    assert OPENAI.owns_etag(put_input(mapped_gateway.s3(), "any-bucket"))


def test_without_anything_the_default_is_bedrock(gateway):
    with pytest.raises(ClientError) as caught:
        put_input(gateway.s3(), "no-such-bucket-anywhere")
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
