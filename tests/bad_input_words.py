"""What bad inputs have in common: from what is bad in each to the words of a command line."""

import os
from collections.abc import Callable
from pathlib import Path

from bad_input_places import RECORD, ROOT, Place, png

Make = Callable[[Place], list[str]]
DEEP = 10_000


def bomb() -> str:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    return "\n".join([*lines, *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])


def config(content: str | bytes) -> Make:
    return lambda at: at.fit("--config", at.file("extra.yaml", content))


def option(*words: str) -> Make:
    return lambda at: at.fit(*words)


def setting(*words: str) -> Make:
    return lambda at: at.episode(*words)


def rows(*lines: object) -> Make:
    return lambda at: at.fit(records=at.records(*lines))


def raw(content: bytes, name: str = "records.jsonl") -> Make:
    return lambda at: at.fit(records=at.file(name, content))


def image(content: bytes) -> Make:
    return lambda at: at.fit(records=at.pictured(content))


def student(**files: object) -> Make:
    return lambda at: at.fit(model=at.model(**files))


def report(**files: object) -> Make:
    return lambda at: ["report", at.run(**files)]


def resumed(**files: object) -> Make:
    return lambda at: at.episode("--resume", run_dir=at.run(**files))


def policy(text: str, name: str = "Mine") -> Make:
    head = "from teachers.plan import DataSpec\nfrom teachers.teacher import Policy\n"
    text = text.replace("ACT", "    def act(self, observation):\n        return [DataSpec(count=1)]\n")
    return lambda at: at.episode("--teacher.init_args.policy", f"{at.module(head + text)}.{name}")


def linked(at: Place) -> list[str]:
    os.symlink("/etc/passwd", at.folder / "link.png")
    return at.fit(records=at.records({**RECORD, "image": "link.png"}))


def linked_folder(at: Place) -> list[str]:
    at.file("elsewhere/one.png", png(4, 4))
    (at.folder / "mine").mkdir()
    os.symlink(at.folder / "elsewhere", at.folder / "mine/images")
    return at.fit(records=at.records({**RECORD, "image": "images/one.png"}, name="mine/records.jsonl"))


def outside(name: str) -> Make:
    def make(at: Place) -> list[str]:
        at.file("secret.txt", "secret")
        at.file("one.png", png(4, 4))
        return at.fit(records=at.records({**RECORD, "image": name.format(at=at.folder)}, name="mine/records.jsonl"))

    return make


def leaking_run(name: str, error: bool = False) -> Make:
    def make(at: Place) -> list[str]:
        at.file("secret.txt", "secret")
        file = "step_02___feedback__json" if error else "step_01___records__jsonl"
        if error:
            return ["report", at.run(**{file: {"errors": [{"instruction": "?", "image": name}]}})]
        return ["report", at.run(**{file: lambda row: row.update(image=name)})]

    return make


def rewritten(name: str, change: Callable[[dict], object], command: str = "report") -> Make:
    def make(at: Place) -> list[str]:
        words = [command, at.run(**{name: change})]
        return [*words, "--to", str(at.folder / "out")] if command == "export" else words

    return make


def rows_of(task: str, files: dict[str, str]) -> Make:
    def make(at: Place) -> list[str]:
        for name, content in files.items():
            at.file(f"rows/{name}", content)
        return [
            *("validate", "--config", str(ROOT / "configs/students/tiny_text.yaml")),
            *("--model.init_args.model_name_or_path", str(at.tiny)),
            *("--task", task, "--task.init_args.path", str(at.folder / "rows")),
        ]

    return make


def continued(**files: object) -> Make:
    def make(at: Place) -> list[str]:
        from dataenvgym.cli.episode import EpisodeCLI

        words = at.episode()
        text = EpisodeCLI(words[1:]).config_text()
        (Path(at.run("running", **files)) / "config.yaml").write_text(text)
        return [*words, "--resume"]

    return make
