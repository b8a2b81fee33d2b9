"""Starts and ends the programs under test, each as a process of its own."""

import collections
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 60
END_SECONDS = 20

# Variables of whoever runs the tests must not configure the gateway.
CONFIGURATION_PREFIXES = (
    "FINOPS_",
    "AWS_",
    "OPENAI_",
    "GEMINI_",
    "GOOGLE_",
    "ANTHROPIC_",
    "BEDROCK_",
)


def deno():
    """The Deno that runs the sources."""
    named = os.environ.get("FINOPS_TEST_DENO") or shutil.which("deno")
    assert named, "Set FINOPS_TEST_DENO, or run the suite with: deno task test"
    return named


def binary():
    """The compiled program under test; None: the sources are."""
    return os.environ.get("FINOPS_TEST_BINARY") or None


def finops(*args):
    """The command line that runs `finops`, compiled or from the sources."""
    if binary():
        return [binary(), *args]
    # Permissions and flags are those of `deno task serve`.
    tasks = json.loads((ROOT / "deno.json").read_text())["tasks"]
    words = shlex.split(tasks["serve"]["command"])
    flags = words[1:words.index("main.ts")]
    return [deno(), *flags, str(ROOT / "main.ts"), *args]


def clean_environment(extra):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(CONFIGURATION_PREFIXES)
    }
    return {**kept, **{name: str(value) for name, value in extra.items()}}


class Program:
    """A running program that says where it listens in a JSON line."""

    def __init__(self, command, env, cwd):
        self.lines = collections.deque(maxlen=2000)
        self.url = None
        self._listening = threading.Event()
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._await_listening(command)

    @property
    def pid(self):
        return self._process.pid

    @property
    def exit_code(self):
        return self._process.poll()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if self.url is None:
                self._note_address(line)
        self._listening.set()

    def _note_address(self, line):
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if isinstance(entry, dict) and entry.get("event") == "listening":
            self.url = entry["url"].rstrip("/")
            self._listening.set()

    def _await_listening(self, command):
        self._listening.wait(START_SECONDS)
        if self.url is None:
            self.kill()
            raise AssertionError(f"{command} does not listen:\n{self.log()}")

    def log(self):
        return "\n".join(list(self.lines)[-50:])

    def entries(self):
        """The JSON log lines so far."""
        found = []
        for line in list(self.lines):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def terminate(self):
        """Asks for a clean end and returns without waiting for it."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self):
        return self._process.wait(END_SECONDS)

    def kill(self):
        """Ends it as a power cut would."""
        self._process.kill()
        self._process.wait(END_SECONDS)

    def stop(self):
        if self.exit_code is None:
            self.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()

    def memory_kib(self, field):
        """A figure of the kernel's: VmRSS is now, VmHWM the peak so far."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        for line in status.splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
        raise AssertionError(f"no {field} in /proc/{self.pid}/status")


def start_sandbox(folder, pace_ms=50, **env):
    """The gateway with every simulator, in one process."""
    settings = {
        "FINOPS_PORT": 0,
        "FINOPS_DATA_DIR": folder,
        "FINOPS_SANDBOX_PACE_MS": pace_ms,
        **env,
    }
    return Program(finops("sandbox"), settings, cwd=folder)


def wait_until(what, condition, seconds=30):
    """Polls until the condition holds, and returns what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)
