import boto3
import time

def add_openai_header(request, **kwargs):
    request.headers["x-model-provider"] = "openai"

bedrock_client = boto3.client(
    "bedrock",
    region_name="us-west-2",
    endpoint_url="{AI_GATEWAY_URL}/bedrock",
)
bedrock_client.meta.events.register("before-send", add_openai_header)

# Configuration (no S3 bucket or IAM role needed)
model_id = "gpt-4o-mini"
file_id = "file-abc123" # File ID from upload step

# Create batch job
response = bedrock_client.create_model_invocation_job(
    jobName=f"openai-batch-{int(time.time())}",
    modelId=model_id,
    roleArn="not-required-for-openai",
    inputDataConfig={
        "s3InputDataConfig": {
            "s3Uri": f"s3://openai-files/{file_id}", # Routing identifier
            "s3InputFormat": "JSONL"
        }
    },
    outputDataConfig={
        "s3OutputDataConfig": {
            "s3Uri": "s3://openai-output/"
        }
    },
    tags=[
        {"key": "endpoint", "value": "/v1/chat/completions"},
        {"key": "file_id", "value": file_id},
    ],
)

job_arn = response["jobArn"]
print(f"Created OpenAI batch job: {job_arn}")
