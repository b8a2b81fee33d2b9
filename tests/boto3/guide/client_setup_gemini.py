import boto3

def add_gemini_header(request, **kwargs):
    request.headers["x-model-provider"] = "gemini"

# S3 client for Gemini files
s3_client = boto3.client(
    "s3",
    region_name="us-west-2",
    endpoint_url="{AI_GATEWAY_URL}/bedrock/files",
)
s3_client.meta.events.register("before-send", add_gemini_header)

# Bedrock client for Gemini batches
bedrock_client = boto3.client(
    "bedrock",
    region_name="us-west-2",
    endpoint_url="{AI_GATEWAY_URL}/bedrock",
)
bedrock_client.meta.events.register("before-send", add_gemini_header)
