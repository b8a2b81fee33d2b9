"""Jobs, from input to end."""

import dataclasses

from clients import unique
from processes import wait_until
from records import Provider

TERMINAL = {"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"}


@dataclasses.dataclass(frozen=True)
class Job:
    arn: str
    name: str
    input_name: str
    output_prefix: str
    request: dict

    @property
    def id(self):
        return self.arn.rsplit("/", 1)[1]


def upload_input(endpoint, provider: Provider, body=None, key=None):
    """Puts an input file and returns its bucket, key and unquoted ETag."""
    key = key or f"batches/{unique('input')}.jsonl"
    answer = endpoint.s3(provider.name).put_object(
        Bucket=provider.input_bucket,
        Key=key,
        Body=provider.make_input() if body is None else body,
        ContentType="application/jsonl",
    )
    return provider.input_bucket, key, answer["ETag"].strip('"')


def make_request(provider: Provider, bucket, key, **members):
    """CreateModelInvocationJob's members for an input that was put."""
    name = members.pop("jobName", None) or unique(f"{provider}-job")
    return {
        "jobName": name,
        "modelId": provider.model,
        "roleArn": provider.role,
        "inputDataConfig": {
            "s3InputDataConfig": {
                "s3Uri": f"s3://{bucket}/{key}",
                "s3InputFormat": "JSONL",
            }
        },
        "outputDataConfig": {
            "s3OutputDataConfig": {
                "s3Uri": f"s3://{provider.output_bucket}/{name}/"
            }
        },
        **members,
    }


def start_job(endpoint, provider: Provider, body=None, **members):
    """Uploads an input and creates a job on it."""
    bucket, key, _ = upload_input(endpoint, provider, body)
    request = make_request(provider, bucket, key, **members)
    answer = endpoint.bedrock(provider.name).create_model_invocation_job(
        **request
    )
    return Job(
        arn=answer["jobArn"],
        name=request["jobName"],
        input_name=key.rsplit("/", 1)[1],
        output_prefix=f"{request['jobName']}/",
        request=request,
    )


def read_job(client, identifier):
    answer = client.get_model_invocation_job(jobIdentifier=identifier)
    answer.pop("ResponseMetadata")
    return answer


def await_end(client, identifier, seconds=60):
    """Polls a job to its end and returns its last state."""

    def ended():
        state = read_job(client, identifier)
        return state if state["status"] in TERMINAL else None

    return wait_until(f"the end of job {identifier}", ended, seconds)
