"""Files, folders and words that bad inputs are made of: model folders, images, records and run directories to spoil."""

import io
import json
import shutil
import struct
import zlib
from pathlib import Path

from make_run_dir import make_run_dir

ROOT = Path(__file__).parents[1]
RECORD = {"instruction": "1 + 1 =", "response": "2"}


class Place:
    """A folder of its own for one bad input, and what a command line of it is made of."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.tiny = model

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def records(self, *rows: object, name: str = "records.jsonl") -> str:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        return self.file(name, "\n".join(lines) + "\n")

    def pictured(self, image: bytes, name: str = "one.png") -> str:
        self.file(name, image)
        return self.records({**RECORD, "image": name})

    def model(self, **files: object) -> str:
        """A tiny model with other files (``__`` for the dot in names): None deletes one, a mapping changes its JSON."""
        folder = shutil.copytree(self.tiny, self.folder / "model")
        for key, change in files.items():
            path = folder / key.replace("__", ".")
            if change is None:
                path.unlink(missing_ok=True)
            elif isinstance(change, dict):
                path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
            else:
                path.write_bytes(change if isinstance(change, bytes) else str(change).encode())
        return str(folder)

    def fit(self, *extra: str, records: str | None = None, model: str | None = None, command: str = "fit") -> list[str]:
        return [
            command,
            *("--config", str(ROOT / "configs/tasks/math_procedural.yaml")),
            *("--config", str(ROOT / "configs/students/tiny_text.yaml")),
            *("--model.init_args.model_name_or_path", model or str(self.tiny)),
            *("--task.init_args.val_size", "54", "--task.init_args.test_size", "54", "--trainer.max_epochs", "1"),
            *(("--data.records", records or self.records(RECORD, name="good.jsonl")) if command == "fit" else ()),
            *extra,
        ]

    def episode(self, *extra: str, run_dir: str | None = None, model: str | None = None) -> list[str]:
        fragments = ("tasks/math_procedural", "students/tiny_text", "environments/open_ended")
        return [
            "episode",
            *(word for name in fragments for word in ("--config", str(ROOT / f"configs/{name}.yaml"))),
            *("--config", str(ROOT / "configs/teachers/no_state_procedural.yaml")),
            *("--model.init_args.model_name_or_path", model or str(self.tiny)),
            *("--task.init_args.val_size", "54", "--task.init_args.test_size", "54", "--trainer.max_epochs", "1"),
            *("--environment.budget.max_records", "20", "--environment.budget.max_steps", "1"),
            *("--run_dir", str(self.folder / "run") if run_dir is None else run_dir),
            *extra,
        ]

    def run(self, status: str = "finished", **files: object) -> str:
        """A run directory with other files, as in model(); names have ``__`` for the dot and ``/`` for ``___``."""
        folder = make_run_dir(self.folder / "run", steps=2, status=status)
        for key, change in files.items():
            path = folder / key.replace("___", "/").replace("__", ".")
            if change is None:
                path.unlink()
            elif isinstance(change, dict):
                path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
            elif callable(change):
                rows = [json.loads(line) for line in path.read_text().splitlines()]
                change(rows[0])
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            else:
                path.write_bytes(change if isinstance(change, bytes) else str(change).encode())
        return str(folder)

    def module(self, text: str) -> str:
        """A module of the user's in the folder, named after it so that no other test has imported it."""
        name = "mine_" + "".join(character for character in self.folder.parent.name if character.isalnum())
        self.file(f"{name}.py", text)
        return name


def png(width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes | None = None) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(rows if rows is not None else b"\0" * ((width * 3 + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def picture(kind: str, **settings: object) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), (200, 10, 10)).save(buffer, kind, **settings)
    return buffer.getvalue()
