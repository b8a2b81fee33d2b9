"""The providers as the tests see them, and input files in their formats."""

import dataclasses
import json
import re
import typing

MESSAGE = "What is {0} + {0}? Answer briefly."


@dataclasses.dataclass(frozen=True)
class Provider:
    name: str
    model: str
    input_bucket: str
    output_bucket: str
    role: str
    etag_pattern: str
    make_record: typing.Callable[[str, str, str], dict]
    read_record_id: typing.Callable[[dict], str]
    succeeded: typing.Callable[[dict], bool]

    def __str__(self):
        return self.name

    def make_input(self, count=3, prefix="request"):
        """JSON lines, the last one without a newline, as documented."""
        lines = [
            json.dumps(
                self.make_record(
                    f"{prefix}-{number}", MESSAGE.format(number), self.model
                )
            )
            for number in range(1, count + 1)
        ]
        return "\n".join(lines).encode()

    def owns_etag(self, etag):
        return re.fullmatch(self.etag_pattern, etag) is not None


def _bedrock_record(record_id, text, _model):
    return {
        "recordId": record_id,
        "modelInput": {
            "messages": [{"role": "user", "content": [{"text": text}]}],
            "inferenceConfig": {"maxTokens": 100},
        },
    }


def _openai_record(record_id, text, model):
    return {
        "custom_id": record_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 100,
        },
    }


def _gemini_record(record_id, text, _model):
    return {
        "request": {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"maxOutputTokens": 100},
        },
        "metadata": {"key": record_id},
    }


def _anthropic_record(record_id, text, model):
    return {
        "custom_id": record_id,
        "params": {
            "model": model,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": text}],
        },
    }


def _gemini_record_id(line):
    return line.get("key") or line.get("metadata", {}).get("key")


BEDROCK = Provider(
    name="bedrock",
    model="anthropic.claude-3-sonnet-20240229-v1:0",
    input_bucket="your-s3-bucket",
    output_bucket="your-s3-bucket",
    role="arn:aws:iam::123456789012:role/batch",
    etag_pattern=r'"[0-9a-f]{32}"',
    make_record=_bedrock_record,
    read_record_id=lambda line: line["recordId"],
    succeeded=lambda line: "modelOutput" in line,
)
OPENAI = Provider(
    name="openai",
    model="gpt-4o-mini",
    input_bucket="openai-files",
    output_bucket="openai-output",
    role="not-required-for-openai",
    etag_pattern=r'"file-[A-Za-z0-9]+"',
    make_record=_openai_record,
    read_record_id=lambda line: line["custom_id"],
    succeeded=lambda line: line["response"]["status_code"] == 200,
)
GEMINI = Provider(
    name="gemini",
    model="gemini-1.5-flash",
    input_bucket="gemini-files",
    output_bucket="gemini-output",
    role="not-required-for-gemini",
    etag_pattern=r'"[a-z0-9][a-z0-9-]{0,38}[a-z0-9]"',
    make_record=_gemini_record,
    read_record_id=_gemini_record_id,
    succeeded=lambda line: "response" in line,
)

ALL = [BEDROCK, OPENAI, GEMINI]
# Those that keep files under ids of their own.
FILE_BASED = [OPENAI, GEMINI]


def anthropic_input():
    record = _anthropic_record("request-1", MESSAGE.format(1), "claude-opus-5-5")
    return json.dumps(record).encode()
