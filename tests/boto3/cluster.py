"""Simulators that outlive the gateway, each a process of its own."""

import contextlib

from processes import Program, finops

ROLE = "arn:aws:iam::123456789012:role/batch"


class Cluster:
    """Every provider's simulator, and the settings that lead to them."""

    def __init__(self, folder, pace_ms=100):
        self._programs = []
        self._folder = folder
        self.s3 = self._start("s3")
        self.bedrock = self._start(
            "bedrock", "--pace-ms", str(pace_ms), "--s3-endpoint", self.s3.url
        )
        paced = ("--pace-ms", str(pace_ms))
        self.openai = self._start("openai", *paced)
        self.gemini = self._start("gemini", *paced)
        self.anthropic = self._start("anthropic", *paced)

    def _start(self, name, *options):
        program = Program(
            finops("sandbox", name, "--port", "0", *options),
            {},
            cwd=self._folder,
        )
        self._programs.append(program)
        return program

    def settings(self, **more):
        return {
            "AWS_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "gateway-key",
            "AWS_SECRET_ACCESS_KEY": "gateway-secret",
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "AWS_ENDPOINT_URL_BEDROCK": self.bedrock.url,
            "BEDROCK_BATCH_ROLE_ARN": ROLE,
            "OPENAI_API_KEY": "sk-example",
            "OPENAI_BASE_URL": self.openai.url,
            "GEMINI_API_KEY": "gemini-example",
            "GOOGLE_GEMINI_BASE_URL": self.gemini.url,
            "ANTHROPIC_API_KEY": "anthropic-example",
            "ANTHROPIC_BASE_URL": self.anthropic.url,
            "FINOPS_PORT": 0,
            **more,
        }

    def serve(self, data_folder, **more):
        """The gateway alone, with its state in `data_folder`."""
        return Program(
            finops("serve"),
            self.settings(FINOPS_DATA_DIR=data_folder, **more),
            cwd=data_folder,
        )

    def stop(self):
        for program in self._programs:
            program.stop()


@contextlib.contextmanager
def running(program):
    try:
        yield program
    finally:
        program.stop()
