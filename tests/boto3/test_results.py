"""Results, read where Bedrock would have put them."""

import json

import pytest
from boto3.s3.transfer import TransferConfig

from batches import await_end, start_job
from errors import refused
from records import ALL, OPENAI

each_provider = pytest.mark.parametrize("provider", ALL, ids=str)
COUNT = 40


@pytest.fixture(scope="module")
def finished(gateway):
    """One finished job a provider."""
    jobs = {}
    for provider in ALL:
        jobs[provider.name] = start_job(
            gateway, provider, provider.make_input(COUNT)
        )
    for provider in ALL:
        state = await_end(
            gateway.bedrock(provider.name), jobs[provider.name].arn
        )
        assert state["status"] == "Completed"
    return jobs


@pytest.fixture
def job(finished, provider):
    return finished[provider.name]


@pytest.fixture
def names(job, provider):
    """Where the result and the manifest lie."""
    folder = f"{job.output_prefix}{job.id}/"
    return [
        {"Bucket": provider.output_bucket, "Key": folder + name}
        for name in (f"{job.input_name}.out", "manifest.json.out")
    ]


def read(client, name, **options):
    return client.get_object(**name, **options)["Body"].read()


@each_provider
def test_every_record_has_its_line(endpoint, provider, names):
    lines = [
        json.loads(line)
        for line in read(endpoint.s3(provider.name), names[0]).splitlines()
    ]
    assert sorted(map(provider.read_record_id, lines)) == sorted(
        f"request-{number}" for number in range(1, COUNT + 1)
    )
    assert all(map(provider.succeeded, lines))


@each_provider
def test_the_manifest_counts_records_and_tokens(endpoint, provider, names):
    manifest = json.loads(read(endpoint.s3(provider.name), names[1]))
    assert manifest["totalRecordCount"] == COUNT
    assert manifest["processedRecordCount"] == COUNT
    assert manifest["successRecordCount"] == COUNT
    assert manifest["errorRecordCount"] == 0
    assert manifest["inputTokenCount"] > 0
    assert manifest["outputTokenCount"] > 0


@each_provider
def test_results_are_listed_under_the_output_uri(
    endpoint, provider, job, names
):
    client = endpoint.s3(provider.name)
    page = client.list_objects_v2(
        Bucket=provider.output_bucket, Prefix=job.output_prefix
    )
    sizes = {entry["Key"]: entry["Size"] for entry in page["Contents"]}
    assert sizes == {
        name["Key"]: client.head_object(**name)["ContentLength"]
        for name in names
    }
    folders = client.list_objects_v2(
        Bucket=provider.output_bucket,
        Prefix=job.output_prefix,
        Delimiter="/",
    )["CommonPrefixes"]
    assert folders == [{"Prefix": f"{job.output_prefix}{job.id}/"}]


@each_provider
def test_a_range_of_a_result(gateway, provider, names):
    client = gateway.s3(provider.name)
    whole = read(client, names[0])
    assert read(client, names[0], Range="bytes=10-99") == whole[10:100]
    assert read(client, names[0], Range="bytes=-50") == whole[-50:]
    answer = client.get_object(**names[0], Range="bytes=0-0")
    assert answer["ContentRange"] == f"bytes 0-0/{len(whole)}"
    with refused("InvalidRange", 416):
        client.get_object(**names[0], Range=f"bytes={len(whole)}-")


@each_provider
def test_download_file_reads_a_result_in_parallel_ranges(
    endpoint, provider, names, tmp_path
):
    client = endpoint.s3(provider.name)
    path = tmp_path / "result"
    client.download_file(
        names[0]["Bucket"],
        names[0]["Key"],
        str(path),
        Config=TransferConfig(
            multipart_threshold=1000, multipart_chunksize=1000
        ),
    )
    assert path.read_bytes() == read(client, names[0])


@each_provider
def test_conditions_on_a_result(gateway, provider, names):
    client = gateway.s3(provider.name)
    etag = client.head_object(**names[0])["ETag"]
    assert read(client, names[0], IfMatch=etag)
    with refused("304", 304):
        client.get_object(**names[0], IfNoneMatch=etag)
    with refused("PreconditionFailed", 412):
        client.get_object(**names[0], IfMatch='"something-else"')


def test_a_result_takes_its_name_from_the_inputs_uri_as_given(gateway):
    etag = gateway.s3("openai").put_object(
        Bucket="openai-files", Key="named.jsonl", Body=OPENAI.make_input()
    )["ETag"]
    file_id = etag.strip('"')
    client = gateway.bedrock("openai")
    arn = client.create_model_invocation_job(
        jobName="named-by-file-id",
        modelId=OPENAI.model,
        roleArn="none",
        inputDataConfig={
            "s3InputDataConfig": {"s3Uri": f"s3://openai-files/{file_id}"}
        },
        outputDataConfig={
            "s3OutputDataConfig": {"s3Uri": "s3://openai-output/"}
        },
    )["jobArn"]
    await_end(client, arn)
    key = f"{arn.rsplit('/', 1)[1]}/{file_id}.out"
    body = read(gateway.s3("openai"), {"Bucket": "openai-output", "Key": key})
    assert len(body.splitlines()) == 3


@pytest.mark.parametrize("provider", [OPENAI], ids=str)
def test_an_output_uri_without_a_last_slash_is_the_same_folder(
    gateway, provider
):
    job = start_job(
        gateway,
        provider,
        outputDataConfig={
            "s3OutputDataConfig": {"s3Uri": "s3://openai-output/no/slash"}
        },
    )
    await_end(gateway.bedrock(provider.name), job.arn)
    page = gateway.s3(provider.name).list_objects_v2(
        Bucket="openai-output", Prefix=f"no/slash/{job.id}/"
    )
    assert page["KeyCount"] == 2


@pytest.mark.parametrize("provider", ALL[1:], ids=str)
def test_results_of_an_unfinished_job_are_not_there(slow_gateway, provider):
    job = start_job(slow_gateway, provider)
    client = slow_gateway.s3(provider.name)
    folder = f"{job.output_prefix}{job.id}/"
    with refused("404", 404):
        client.head_object(
            Bucket=provider.output_bucket,
            Key=f"{folder}{job.input_name}.out",
        )
    page = client.list_objects_v2(
        Bucket=provider.output_bucket, Prefix=folder
    )
    assert page["KeyCount"] == 0
