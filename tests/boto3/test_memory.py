"""Bodies are never held whole, whatever their size."""

import hashlib
import pathlib

import pytest

from batches import upload_input
from clients import Endpoint
from cluster import running
from records import ALL, BEDROCK, OPENAI

SIZE_BYTES = 256 * 2**20
GROWTH_KIB_MAX = 64 * 1024


def make_large_input(provider, path):
    """Records of about 1 MiB each, so that none is too long a line."""
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as file:
        while size < SIZE_BYTES:
            text = "x" * 1_000_000
            line = provider.make_input(1).replace(b"Answer", text.encode())
            file.write(line + b"\n")
            digest.update(line + b"\n")
            size += len(line) + 1
    return digest.hexdigest()


@pytest.fixture(scope="module")
def program(cluster, tmp_path_factory):
    with running(cluster.serve(tmp_path_factory.mktemp("memory"))) as gateway:
        endpoint = Endpoint(gateway.url)
        # Idle means loaded: every driver has served something.
        for provider in ALL:
            for _ in range(3):
                upload_input(endpoint, provider)
                endpoint.s3(provider.name).list_objects_v2(
                    Bucket="your-s3-bucket"
                )
        yield gateway


def reset_peak(program):
    pathlib.Path(f"/proc/{program.pid}/clear_refs").write_text("5")


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/clear_refs").exists(),
    reason="the kernel tells no peak here",
)
@pytest.mark.parametrize("provider", ALL, ids=str)
def test_a_256_mib_body_raises_the_peak_by_64_mib_at_most(
    program, tmp_path, provider
):
    endpoint = Endpoint(program.url)
    client = endpoint.s3(provider.name, config={"read_timeout": 300})
    path = tmp_path / "large.jsonl"
    sha256 = make_large_input(provider, path)
    name = {"Bucket": "your-s3-bucket", "Key": f"large-{provider}.jsonl"}
    idle_kib = program.memory_kib("VmRSS")

    reset_peak(program)
    with path.open("rb") as file:
        client.put_object(**name, Body=file)
    assert program.memory_kib("VmHWM") - idle_kib < GROWTH_KIB_MAX, "PutObject"
    head = client.head_object(**name)
    assert head["ContentLength"] == path.stat().st_size

    if provider in (BEDROCK, OPENAI):
        reset_peak(program)
        digest = hashlib.sha256()
        for piece in client.get_object(**name)["Body"].iter_chunks(2**20):
            digest.update(piece)
        assert digest.hexdigest() == sha256
        growth_kib = program.memory_kib("VmHWM") - idle_kib
        assert growth_kib < GROWTH_KIB_MAX, "GetObject"
    client.delete_object(**name)
