"""Two chat servers by other people, as processes: `transformers serve` and the LiteLLM proxy (made by install.sh)."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENVS = Path(os.environ.get("DATAENVGYM_SERVERS", ROOT / ".venv-servers"))
STUDENT = ROOT / "lightning_modules" / "pretrained" / "tiny_text"
MASTER_KEY = "sk-master-7f3b1c9d5e2a4860"

# Seconds that a server may take to answer: Python has thousands of files to read, on a machine that is busy.
_LONGEST_START = 300


def installed(name):
    """The Python of a server's environment; skips the tests if it was not made."""
    python = VENVS / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} does not exist: ./tests/foreign_servers/install.sh makes it")
    return str(python)


@contextlib.contextmanager
def running(command, health, log):
    """A server's process, once it answers at ``http://127.0.0.1:<port><health>``; ``{port}`` becomes a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Without the user's own settings: proxies, and the keys of their endpoints.
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "PATH", "SSL_CERT_FILE")}
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [word.format(port=port) for word in command],
            env={**kept, **quiet, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}{health}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process, url, log):
    deadline = time.monotonic() + _LONGEST_START
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with contextlib.suppress(OSError), direct.open(url, timeout=5) as response:
            if response.status == 200:
                return
        told = f"{url} does not answer:\n{log.read_text(errors='replace')[-2000:]}"
        assert process.poll() is None and time.monotonic() < deadline, told
        time.sleep(0.2)


def transformers_serve(folder):
    words = [installed("transformers"), "-m", "transformers.cli.transformers", "serve", str(STUDENT)]
    words += ["--host", "127.0.0.1", "--port", "{port}", "--device", "cpu"]
    return running(words, "/health", folder / "transformers.log")


def litellm_proxy(folder, models):
    """The LiteLLM proxy with these models (``litellm_params`` by name); yields its address."""
    python = installed("litellm")
    config = {
        "model_list": [{"model_name": name, "litellm_params": given} for name, given in models.items()],
        # Neither second attempts nor pauses of its own: they would hide what is tested.
        "litellm_settings": {"num_retries": 0, "telemetry": False},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"master_key": MASTER_KEY},
    }
    (folder / "litellm.yaml").write_text(json.dumps(config))  # JSON is YAML
    words = [python, str(Path(python).with_name("litellm")), "--config", str(folder / "litellm.yaml")]
    return running([*words, "--host", "127.0.0.1", "--port", "{port}"], "/health/liveliness", folder / "litellm.log")
