"""Exported records are read back by load_dataset, with a card that the hub can read; the hub is asked over HTTP."""

import base64
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset
from PIL import Image as Pictures

from dataenvgym.cli.main import main
from dataenvgym.reporting.export import export_run
from tasks.errors import MissingFileError, RecordError, RunDirectoryError
from tasks.images import Image
from tasks.types import TrainingRecord
from tests.dataenvgym.golden import check_golden
from tests.dataenvgym.judged_runs import judged_run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return judged_run(tmp_path_factory.mktemp("runs") / "one")


def read_back(folder, tmp_path):
    return load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


def front_matter(folder):
    _, front, text = (Path(folder) / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), text


def test_load_dataset_reads_it_back_with_a_card_that_says_where_it_is_from(run, tmp_path):
    made = export_run(run, str(tmp_path / "made"))
    found = read_back(made, tmp_path)
    assert list(found) == ["train"] and len(found["train"]) == 30
    row = found["train"][12]
    assert row == {
        "messages": [
            {"role": "user", "content": "skill0 sub2: say 2-0-2"},
            {"role": "assistant", "content": "said 2"},
        ],
        "instruction": "skill0 sub2: say 2-0-2",
        "response": "said 2",
        "answer": "2",
        "skill": "skill0",
        "subskill": "sub2",
        "source": "made",
        "step": 2,
    }
    assert {path.name for path in Path(made).iterdir()} == {"README.md", "data"}
    check_golden("card.md", (Path(made) / "README.md").read_text(encoding="utf-8"))


def test_images_and_worse_responses_come_along(tmp_path):
    picture = Image.drawn(Pictures.new("RGB", (5, 3), (200, 10, 10)))
    extra = [TrainingRecord("which?", "this", "this", None, None, "", None, "that")]
    made = export_run(judged_run(tmp_path / "run", image=picture, extra=extra), str(tmp_path / "made"))
    found = read_back(made, tmp_path)["train"]
    assert found[0]["image"].size == (5, 3) and found[7]["image"].getpixel((0, 0)) == (200, 10, 10)
    assert found[0]["rejected"] is None and found[30]["image"] is None
    assert found[30]["rejected"] == "that" and found[30]["skill"] is None and found[30]["source"] == ""
    front, text = front_matter(made)
    assert front["task_categories"] == ["image-text-to-text"] and "`image`" in text


@pytest.mark.parametrize(
    ("settings", "asked", "expected"),
    [
        ({}, None, "mit"),
        ({"chat": "some-model"}, None, "other"),
        ({"settings": {"task": {"class_path": "somewhere.TheirTask"}}}, None, "other"),
        ({"settings": {"task": None}}, None, "other"),
        ({"chat": "some-model"}, "cc-by-4.0", "cc-by-4.0"),
    ],
)
def test_licence(tmp_path, settings, asked, expected):
    front, text = front_matter(export_run(judged_run(tmp_path / "run", **settings), str(tmp_path / "made"), asked))
    assert front["license"] == expected
    assert ("not settled" in text) == (expected == "other")
    assert ("| chat model | some-model |" in text) == ("chat" in settings)


def test_nothing_is_overwritten(run, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    export_run(run, str(folder))  # an empty folder is as good as none
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(RunDirectoryError, match="not empty"):
        export_run(run, str(folder))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_what_cannot_be_exported(tmp_path):
    with pytest.raises(MissingFileError):
        export_run(tmp_path, str(tmp_path / "made"))
    run = judged_run(tmp_path / "run")
    records = run / "step_02" / "records.jsonl"
    records.write_text(records.read_text() + records.read_text())
    with pytest.raises(RecordError, match="20 records and step 2 accepted 10"):
        export_run(run, str(tmp_path / "made"))
    (run / "episode.jsonl").write_text((run / "episode.jsonl").read_text().splitlines()[0] + "\n")
    with pytest.raises(RecordError, match="no accepted records"):
        export_run(run, str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()


def test_command_also_offline(run, tmp_path, capsys):
    assert main(["export", str(run), "--to", str(tmp_path / "made"), "--license", "mit"]) == 0
    assert str(tmp_path / "made") in capsys.readouterr().out
    assert main(["export", str(run), "--to", "hub:someone/records"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dataenvgym: error: The hub cannot be reached for someone/records")
    assert error.count("\n") == 1


@contextmanager
def hub(present=(".gitattributes",), status=200):
    """A server that takes datasets as the hub does, without its storage for large files."""
    heard = {"repositories": [], "files": {}, "tokens": set()}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard["tokens"].add(self.headers.get("Authorization"))
            if self.path == "/api/repos/create":
                if status != 200:
                    return self.reply({"error": "no"}, status)
                heard["repositories"].append(json.loads(body))
                return self.reply({"url": f"{address}/datasets/someone/records"})
            if self.path.endswith("/preupload/main"):
                files = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
                return self.reply({"files": [file | {"shouldIgnore": False, "oid": None} for file in files]})
            if "/commit/" in self.path:
                for line in body.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        heard["files"][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                return self.reply(
                    {
                        "success": True,
                        "commitUrl": f"{address}/datasets/someone/records/commit/{'1' * 40}",
                        "commitOid": "1" * 40,
                    }
                )
            if self.path == "/api/validate-yaml":
                heard["card"] = json.loads(body)
                return self.reply({"errors": [], "warnings": []})
            return self.reply({}, 404)

        def do_GET(self):
            if status != 200:
                return self.reply({"error": "no"}, status)
            if "/tree/" in self.path:
                return self.reply([{"type": "file", "path": name, "size": 1, "oid": "2" * 40} for name in present])
            return self.reply({"id": "someone/records", "sha": "1" * 40, "tags": [], "downloads": 0})

        def reply(self, value, code=200):
            content = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address, heard
    finally:
        server.shutdown()
        server.server_close()


def push(run, address, *words):
    """The command in a process of its own: the client reads the hub's address when it is imported."""
    environ = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_test"}
    environ |= {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "dataenvgym", "export", str(run), "--to", "hub:someone/records", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_hub_gets_the_same_files(run, tmp_path):
    with hub() as (address, heard):
        done = push(run, address, "--private")
    assert done.returncode == 0, done.stderr
    assert heard["tokens"] == {"Bearer hf_test"}
    (repository,) = heard["repositories"]
    assert repository["type"] == "dataset" and (repository.get("private") or repository.get("visibility") == "private")
    made = Path(export_run(run, str(tmp_path / "made")))
    assert {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()} == set(heard["files"])
    assert heard["files"]["README.md"] == (made / "README.md").read_bytes()
    assert heard["card"]["content"] == (made / "README.md").read_text(encoding="utf-8")
    assert "someone/records" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "words"),
    [({"present": ("README.md",)}, "holds files already"), ({"status": 401}, "HF_TOKEN"), ({"status": 500}, "500")],
)
def test_the_hub_refuses_in_one_line(run, settings, words):
    with hub(**settings) as (address, heard):
        done = push(run, address)
    assert done.returncode == 2 and heard["files"] == {}
    assert done.stderr.startswith("dataenvgym: error:") and words in done.stderr and done.stderr.count("\n") == 1
