import boto3

def add_openai_header(request, **kwargs):
    request.headers["x-model-provider"] = "openai"

# S3 client for OpenAI files
s3_client = boto3.client(
    "s3",
    region_name="us-west-2",
    endpoint_url="{AI_GATEWAY_URL}/bedrock/files",
)
s3_client.meta.events.register("before-send", add_openai_header)

# Bedrock client for OpenAI batches
bedrock_client = boto3.client(
    "bedrock",
    region_name="us-west-2",
    endpoint_url="{AI_GATEWAY_URL}/bedrock",
)
bedrock_client.meta.events.register("before-send", add_openai_header)
