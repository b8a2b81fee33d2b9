"""The scripts of the user's guide, as they stand in the folder `guide`.

Each is run with the gateway's address in place of `{AI_GATEWAY_URL}` and with
values of this run in place of the guide's examples. The one line added is
`roleArn` for Bedrock, without which boto3 refuses the call.
"""

import contextlib
import functools
import io
import pathlib
import time

import pytest
from botocore.exceptions import ClientError

from batches import await_end, start_job, upload_input
from clients import unique
from records import ALL, BEDROCK, FILE_BASED, GEMINI, OPENAI

GUIDE = pathlib.Path(__file__).parent / "guide"
ROLE_LINE = 'roleArn="arn:aws:iam::123456789012:role/any",\n    modelId='
PROVIDER_LINE = '["x-model-provider"] = "bedrock"'


@pytest.fixture
def run_script_at(monkeypatch):
    """Runs one script of the guide; gives its variables and what it said."""
    sleep = time.sleep
    # The guide polls every ten seconds; the sandbox needs fractions of one.
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(seconds / 25))

    def run(endpoint, name, *replacements):
        if endpoint.ca_path:
            monkeypatch.setenv("AWS_CA_BUNDLE", endpoint.ca_path)
        source = (GUIDE / f"{name}.py").read_text()
        changes = [("{AI_GATEWAY_URL}", endpoint.url), *replacements]
        for old, new in changes:
            assert old in source, f"{name}.py has no {old}"
            source = source.replace(old, new)
        variables = {}
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(source, f"{name}.py", "exec"), variables)
        return variables, said.getvalue()

    return run


@pytest.fixture
def run_script(run_script_at, endpoint):
    return functools.partial(run_script_at, endpoint)


def use(provider):
    return (PROVIDER_LINE, f'["x-model-provider"] = "{provider}"')


def test_client_setup_without_header(run_script):
    variables, _ = run_script("client_setup_default")
    page = variables["s3_client"].list_objects_v2(Bucket="your-s3-bucket")
    assert page["ResponseMetadata"]["HTTPStatusCode"] == 200
    jobs = variables["bedrock_client"].list_model_invocation_jobs()
    assert "invocationJobSummaries" in jobs


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_client_setup_with_header(run_script, provider):
    variables, _ = run_script(f"client_setup_{provider}")
    answer = variables["s3_client"].put_object(
        Bucket=provider.input_bucket,
        Key=f"{unique('setup')}.jsonl",
        Body=provider.make_input(),
    )
    assert provider.owns_etag(answer["ETag"])
    jobs = variables["bedrock_client"].list_model_invocation_jobs()
    assert "invocationJobSummaries" in jobs


def test_client_setup_for_anthropic(run_script):
    variables, _ = run_script("client_setup_anthropic")
    models = variables["bedrock_client"].list_foundation_models()
    assert models["modelSummaries"]


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_helper_functions(run_script, provider):
    variables, _ = run_script("helper_functions")
    s3 = variables["get_provider_s3_client"](provider.name)
    bedrock = variables["get_provider_bedrock_client"](provider.name)
    answer = s3.put_object(
        Bucket=provider.input_bucket,
        Key=f"{unique('helper')}.jsonl",
        Body=provider.make_input(),
    )
    assert provider.owns_etag(answer["ETag"])
    assert bedrock.list_foundation_models()["modelSummaries"]


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_upload(run_script, provider):
    variables, said = run_script(f"upload_{provider}")
    assert provider.owns_etag(variables["response"]["ETag"])
    assert f"Uploaded file ID: {variables['file_id']}\n" in said


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_list_files(run_script, endpoint, provider):
    key = f"finops-batch-input/{unique('listed')}.jsonl"
    body = provider.make_input()
    endpoint.s3(provider.name).put_object(
        Bucket="your-s3-bucket", Key=key, Body=body
    )
    _, said = run_script("list_files", use(provider))
    assert f"Key: {key}\nSize: {len(body)} bytes\nLast Modified: 20" in said


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_retrieve_file_metadata(run_script, endpoint, provider):
    bucket, key, file_id = upload_input(endpoint, provider)
    variables, said = run_script(
        "retrieve_file_metadata",
        use(provider),
        ("your-s3-bucket", bucket),
        ("finops-batch-input/batch_input.jsonl", key),
        ("abc123", file_id),
    )
    assert f"Content Length: {len(provider.make_input())} bytes" in said
    assert variables["response"]["ETag"] == f'"{file_id}"'


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_retrieve_metadata_by_file_id_alone(run_script, endpoint, provider):
    _, _, file_id = upload_input(endpoint, provider)
    variables, said = run_script(
        "retrieve_file_metadata", use(provider), ("abc123", file_id)
    )
    assert f"Content Length: {len(provider.make_input())} bytes" in said
    assert variables["response"]["ETag"] == f'"{file_id}"'


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_delete_file(run_script, endpoint, provider):
    bucket, key, file_id = upload_input(endpoint, provider)
    _, said = run_script(
        "delete_file",
        use(provider),
        ("your-s3-bucket", bucket),
        ("finops-batch-input/batch_input.jsonl", key),
        ("abc123", file_id),
    )
    assert said == f"Deleted file: {key}\n"
    with pytest.raises(ClientError) as caught:
        endpoint.s3(provider.name).head_object(Bucket=bucket, Key=key)
    assert caught.value.response["Error"]["Code"] == "404"


@pytest.mark.parametrize("provider", FILE_BASED, ids=str)
def test_delete_file_by_its_id_alone(run_script, endpoint, provider):
    bucket, key, file_id = upload_input(endpoint, provider)
    run_script("delete_file", use(provider), ("abc123", file_id))
    with pytest.raises(ClientError) as caught:
        endpoint.s3(provider.name).head_object(Bucket=bucket, Key=key)
    assert caught.value.response["Error"]["Code"] == "404"


@pytest.mark.parametrize("provider", [BEDROCK, OPENAI], ids=str)
def test_download_file_content(run_script, endpoint, provider):
    bucket, key, file_id = upload_input(endpoint, provider)
    variables, _ = run_script(
        "download_file_content",
        use(provider),
        ("your-s3-bucket", bucket),
        ("finops-batch-input/batch_input.jsonl", key),
        ("abc123", file_id),
    )
    assert variables["content"].encode() == provider.make_input()


def test_create_job_on_bedrock(run_script, endpoint):
    upload_input(
        endpoint, BEDROCK, key="finops-batch-input/batch_input.jsonl"
    )
    variables, said = run_script(
        "create_job_bedrock", ("modelId=", ROLE_LINE)
    )
    assert said == f"Created batch job: {variables['job_arn']}\n"
    state = await_end(variables["bedrock_client"], variables["job_arn"])
    assert state["status"] == "Completed"


@pytest.mark.parametrize(
    ("provider", "example_id"),
    [(OPENAI, "file-abc123"), (GEMINI, "file-xyz789")],
    ids=str,
)
def test_create_job_elsewhere(run_script, endpoint, provider, example_id):
    _, _, file_id = upload_input(endpoint, provider)
    variables, _ = run_script(
        f"create_job_{provider}", (f'"{example_id}"', f'"{file_id}"')
    )
    state = await_end(variables["bedrock_client"], variables["job_arn"])
    assert state["status"] == "Completed"
    assert state["roleArn"] == provider.role


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_list_jobs(run_script, endpoint, provider):
    job = start_job(endpoint, provider)
    _, said = run_script("list_jobs", use(provider))
    assert f"Job ARN: {job.arn}\nJob Name: {job.name}\nStatus: " in said


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_retrieve_job(run_script, endpoint, provider):
    job = start_job(endpoint, provider)
    await_end(endpoint.bedrock(provider.name), job.arn)
    _, said = run_script(
        "retrieve_job",
        use(provider),
        ("arn:aws:bedrock:us-west-2:123456789:model-invocation-job/abc123",
         job.arn),
    )
    assert f"Job ARN: {job.arn}\nJob Name: {job.name}\n" in said
    assert "Status: Completed\n" in said
    assert provider.model in said


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_stop_job(run_script_at, slow_endpoint, provider):
    job = start_job(slow_endpoint, provider)
    variables, said = run_script_at(
        slow_endpoint,
        "stop_job",
        use(provider),
        ("arn:aws:bedrock:us-west-2:123456789:model-invocation-job/abc123",
         job.arn),
    )
    assert said == f"Stopped job: {job.arn}\n"
    state = await_end(variables["bedrock_client"], job.arn)
    assert state["status"] == "Stopped"


def test_workflow_on_bedrock(run_script):
    variables, said = run_script("workflow_bedrock", ("modelId=", ROLE_LINE))
    assert "Job reached terminal state: Completed" in said
    assert "Verified job is in list" in said
    assert f"Success! Batch workflow completed for job {variables['job_arn']}" in said


def test_workflow_on_openai(run_script):
    variables, said = run_script("workflow_openai")
    assert "Job reached terminal state: Completed" in said
    assert variables["status_response"]["successRecordCount"] == 3


def test_workflow_on_gemini(run_script):
    variables, said = run_script("workflow_gemini")
    assert "Success! Gemini batch workflow completed." in said
    state = await_end(variables["bedrock_client"], variables["job_arn"])
    assert state["status"] == "Completed"
    assert state["successRecordCount"] == 3
