import boto3
import time

def add_gemini_header(request, **kwargs):
    request.headers["x-model-provider"] = "gemini"

bedrock_client = boto3.client(
    "bedrock",
    region_name="us-west-2",
    endpoint_url="{AI_GATEWAY_URL}/bedrock",
)
bedrock_client.meta.events.register("before-send", add_gemini_header)

# Configuration (no S3 bucket or IAM role needed)
model_id = "gemini-1.5-flash"
file_id = "file-xyz789" # File ID from upload step

# Create batch job
response = bedrock_client.create_model_invocation_job(
    jobName=f"gemini-batch-{int(time.time())}",
    modelId=model_id,
    roleArn="not-required-for-gemini",
    inputDataConfig={
        "s3InputDataConfig": {
            "s3Uri": f"s3://gemini-files/{file_id}", # Routing identifier
            "s3InputFormat": "JSONL"
        }
    },
    outputDataConfig={
        "s3OutputDataConfig": {
            "s3Uri": "s3://gemini-output/"
        }
    },
)

job_arn = response["jobArn"]
print(f"Created Gemini batch job: {job_arn}")
