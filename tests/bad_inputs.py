"""Bad inputs by class: each is a name, what makes its words in a Place, and what the line on stderr has to mention."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from bad_input_places import RECORD, ROOT, Place, picture, png

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
    """An episode of the words of run_dir whose folder was spoiled."""
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
    """A command on a run whose file has another first row."""

    def make(at: Place) -> list[str]:
        words = [command, at.run(**{name: change})]
        return [*words, "--to", str(at.folder / "out")] if command == "export" else words

    return make


PATHS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("image in the parent folder", outside("../one.png"), ("records.jsonl, line 1", "../one.png")),
    ("image is a secret", outside("../secret.txt"), ("line 1", "secret.txt")),
    ("image by an absolute path", outside("{at}/one.png"), ("line 1", "outside")),
    ("image of the system", outside("/etc/hostname"), ("line 1", "/etc/hostname")),
    ("image that goes out and back", outside("../mine/../one.png"), ("line 1", "one.png")),
    ("image is a link", linked, ("line 1", "link.png")),
    ("images folder is a link", linked_folder, ("line 1", "outside")),
    ("image is a folder", outside("."), ("line 1",)),
    ("image has a NUL in its name", rows({**RECORD, "image": "a\0b"}), ("line 1", "image")),
    ("image has a name too long", rows({**RECORD, "image": "a" * 5000}), ("line 1", "image")),
    ("image is a device", outside("/dev/zero"), ("line 1", "/dev/zero")),
    ("report of a record with a secret", leaking_run("../../secret.txt"), ("secret.txt",)),
    ("report of a record with a file of the run", leaking_run("../config.yaml"), ("config.yaml",)),
    ("report of an error with a secret", leaking_run("../../secret.txt", error=True), ("secret.txt",)),
    ("report of an image that is text", leaking_run("records.jsonl"), ("records.jsonl",)),
    (
        "export of a record with a secret",
        rewritten("step_01___records__jsonl", lambda row: row.update(image="/etc/passwd"), "export"),
        ("/etc/passwd",),
    ),
]

IMAGES: list[tuple[str, Make, tuple[str, ...]]] = [
    ("400 megapixels", image(png(20_000, 20_000, rows=b"")), ("line 1", "400000000 pixels")),
    ("100 megapixels, within Pillow's limit", image(png(10_000, 10_000, rows=b"")), ("line 1", "10000 x 10000")),
    ("a billion pixels wide", image(png(2**30, 1, rows=b"")), ("line 1",)),
    ("no pixels", image(png(0, 0)), ("line 1",)),
    ("cut off", image(picture("PNG")[:50]), ("line 1", "decoded")),
    ("JPEG cut off", image(picture("JPEG")[:-200]), ("line 1", "decoded")),
    ("head alone", image(b"\x89PNG\r\n\x1a\n"), ("line 1",)),
    ("empty", image(b""), ("line 1",)),
    ("SVG", image(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), ("line 1", "PNG, JPEG")),
    ("HTML", image(b"<html><script>alert(1)</script></html>"), ("line 1", "PNG, JPEG")),
    ("signature before a script", image(b"\x89PNG\r\n\x1a\n<script>alert(1)</script>"), ("line 1", "decoded")),
    ("TIFF", image(picture("TIFF")), ("line 1", "PNG, JPEG")),
    ("WAV with WebP's first bytes", image(b"RIFF\x24\x00\x00\x00WAVEfmt "), ("line 1", "decoded")),
]

RECORDS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("UTF-16", raw(json.dumps(RECORD).encode("utf-16")), ("records.jsonl", "line 1")),
    ("Latin-1", raw('{"instruction": "caf\xe9", "response": "2"}'.encode("latin-1")), ("line 1", "JSON")),
    ("gzip", raw(b"\x1f\x8b\x08\x00\x00", "records.jsonl.gz"), ("records.jsonl.gz", "unpack")),
    ("zip", raw(b"PK\x03\x04rest"), ("records.jsonl", "unpack")),
    ("CSV", raw(b"instruction,response\n1 + 1,2\n", "records.csv"), ("records.csv", "line 1")),
    ("binary", raw(bytes(range(256))), ("records.jsonl", "line")),
    ("one JSON list", raw(json.dumps([RECORD]).encode()), ("line 1", "list")),
    ("pretty-printed JSON", raw(json.dumps(RECORD, indent=2).encode()), ("line 1",)),
    ("white space", raw(b"\n  \n\t\n"), ("no records",)),
    ("NUL in a text", rows({**RECORD, "instruction": "a\0b"}), ("line 1", "instruction")),
    ("half a surrogate pair", rows({**RECORD, "response": "\ud800"}), ("line 1", "response")),
    ("surrogate in the skill", rows({**RECORD, "skill": "\udfff"}), ("line 1", "skill")),
    ("deep nesting", rows(RECORD, '{"instruction": ' + "[" * DEEP), ("line 2", "JSON")),
    ("deep nesting, closed", rows('{"a": ' + "[" * DEEP + "]" * DEEP + "}"), ("line 1",)),
    ("a number of 5,000 digits", rows('{"instruction": ' + "9" * 5000 + "}"), ("line 1",)),
    ("a number for the response", rows({**RECORD, "response": 2}), ("line 1", "response")),
    ("a list for the image", rows({**RECORD, "image": ["a.png"]}), ("line 1", "image")),
    ("null for the instruction", rows({**RECORD, "instruction": None}), ("line 1", "instruction")),
    ("white space for the response", rows({**RECORD, "response": " \n"}), ("line 1", "response")),
    ("a folder", lambda at: at.fit(records=str(at.folder)), ("folder",)),
    ("a device", lambda at: at.fit(records="/dev/zero"), ("/dev/zero",)),
    ("missing", lambda at: at.fit(records=str(at.folder / "none.jsonl")), ("none.jsonl", "does not exist")),
]

MODELS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("empty folder", lambda at: at.fit(model=str(at.folder)), ("config.json",)),
    ("a file", lambda at: at.fit(model=at.file("weights.bin", b"x")), ("weights.bin", "is a file")),
    ("home of nobody", option("--model.init_args.model_name_or_path", "~nobody-here/model"), ("~nobody-here",)),
    ("empty name", option("--model.init_args.model_name_or_path", ""), ("model_name_or_path",)),
    ("line break in the name", option("--model.init_args.model_name_or_path", "a\nb"), ("no folder",)),
    ("pickled weights", student(model__safetensors=None, pytorch_model__bin=b"\x80\x04."), ("pytorch_model.bin",)),
    ("no weights", student(model__safetensors=None), ("no weights",)),
    ("torn weights", student(model__safetensors=b"torn"), ("model.safetensors", "damaged")),
    ("weights of nothing", student(model__safetensors=b""), ("model.safetensors", "damaged")),
    ("weights with a huge head", student(model__safetensors=b"\xff" * 64), ("model.safetensors", "damaged")),
    ("broken config.json", student(config__json="{"), ("config.json", "damaged")),
    ("config.json is a list", student(config__json="[]"), ("config.json",)),
    ("config.json is deep", student(config__json="[" * DEEP), ("config.json",)),
    ("unknown architecture", student(config__json={"model_type": "nonsense", "architectures": ["X"]}), ("model",)),
    ("another architecture", student(config__json={"model_type": "gpt2"}), ("model",)),
    ("other sizes", student(config__json={"hidden_size": 48, "head_dim": 24}), ("model",)),
    ("more layers than weights", student(config__json={"num_hidden_layers": 4}), ("config.json", "missing")),
    ("negative size", student(config__json={"hidden_size": -32}), ("model",)),
    ("text for a size", student(config__json={"hidden_size": "wide"}), ("model",)),
    (
        "code of its own",
        student(
            config__json={"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}},
            evil__py="raise SystemExit('ran')",
        ),
        ("model",),
    ),
    (
        "tokenizer with code of its own",
        student(
            tokenizer_config__json={"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.T", None]}},
            evil__py="raise SystemExit('ran')",
        ),
        ("model",),
    ),
    ("broken tokenizer", student(tokenizer__json="{"), ("tokenizer",)),
    ("binary tokenizer", student(tokenizer__json=bytes(range(256))), ("tokenizer",)),
    ("no tokenizer", student(tokenizer__json=None), ("tokenizer",)),
    ("tokenizer of another kind", student(tokenizer__json={"model": {"type": "Nonsense"}}), ("tokenizer",)),
    ("template that is no Jinja", student(chat_template__jinja="{% for x in %}"), ("template",)),
    ("template that raises", student(chat_template__jinja="{{ raise_exception('no system') }}"), ("template",)),
    ("template that divides by zero", student(chat_template__jinja="{{ 1 // 0 }}"), ("template",)),
    ("template that reads a missing field", student(chat_template__jinja="{{ messages[7].content.x }}"), ("template",)),
    (
        "template that calls itself",
        student(chat_template__jinja="{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
        ("template",),
    ),
    ("template that writes 100 MB", student(chat_template__jinja="{{ 'x' * 100000000 }}"), ("template",)),
    ("template that writes 100 GB", student(chat_template__jinja="{{ 'x' * 100000000000 }}"), ("template",)),
    (
        "template that reaches out",
        student(chat_template__jinja="{{ ''.__class__.__mro__[1].__subclasses__() }}"),
        ("template",),
    ),
    ("empty template", student(chat_template__jinja=""), ("template",)),
    ("an adapter", student(config__json=None, adapter_config__json="{}"), ("adapter",)),
]

CONFIGURATIONS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("binary", config(bytes(range(256))), ("extra.yaml",)),
    ("UTF-16", config("trainer:\n  max_epochs: 1\n".encode("utf-16")), ("extra.yaml", "UTF-8")),
    ("NUL", config("trainer:\n  max_epochs: \0\n"), ("extra.yaml",)),
    ("surrogate", config(b"trainer:\n  max_epochs: \xed\xa0\x80\n"), ("extra.yaml",)),
    ("deep", config("{a: " * DEEP), ("extra.yaml", "deep")),
    ("deep lists", config("a: " + "[" * DEEP + "]" * DEEP), ("extra.yaml", "deep")),
    ("alias bomb", config(bomb()), ("extra.yaml",)),
    ("alias of itself", config("trainer: &a\n  callbacks: *a\n"), ("extra.yaml", "itself")),
    ("tab", config("trainer:\n\tmax_epochs: 1\n"), ("extra.yaml",)),
    ("a list", config("- 1\n- 2\n"), ("extra.yaml",)),
    ("a word", config("hello"), ("extra.yaml",)),
    ("empty", config(""), ("extra.yaml", "empty")),
    ("Python object", config("trainer: !!python/object/apply:os.system ['true']\n"), ("extra.yaml",)),
    ("unknown block", config("trainr:\n  max_epochs: 1\n"), ("trainr",)),
    ("block is text", config("trainer: fast\n"), ("trainer",)),
    ("compressed", config(b"\x1f\x8b\x08\x00"), ("extra.yaml",)),
    ("a folder", lambda at: at.fit("--config", str(at.folder)), ("folder",)),
    ("the second of two is missing", lambda at: at.fit("--config", str(at.folder / "no.yaml")), ("no.yaml",)),
    ("no value", option("--config"), ("config",)),
]

OPTIONS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("NUL in an argument", option("--data.batch_size", "1\0"), ("argument",)),
    ("surrogate in an argument", option("--trainer.default_root_dir", "\udce9"), ("argument",)),
    ("deep JSON argument", option("--trainer.callbacks", "[" * DEEP), ("callbacks",)),
    ("GPU where there is none", option("--trainer.accelerator", "gpu"), ("trainer.accelerator", "gpu")),
    ("unknown accelerator", option("--trainer.accelerator", "quantum"), ("quantum",)),
    ("no devices", option("--trainer.devices", "0"), ("trainer.devices", "0")),
    ("negative devices", option("--trainer.devices", "-7"), ("trainer.devices", "-7")),
    ("devices by name", option("--trainer.devices", "many"), ("devices", "many")),
    ("negative epochs", option("--trainer.max_epochs", "-3"), ("max_epochs", "-3")),
    ("half an epoch", option("--trainer.max_epochs", "0.5"), ("max_epochs", "0.5")),
    ("negative steps", option("--trainer.max_steps", "-5"), ("max_steps", "-5")),
    ("unknown precision", option("--trainer.precision", "17-true"), ("precision", "17-true")),
    ("unknown strategy", option("--trainer.strategy", "telepathy"), ("telepathy",)),
    ("fsdp on a CPU", option("--trainer.strategy", "fsdp"), ("fsdp",)),
    ("deepspeed not installed", option("--trainer.strategy", "deepspeed"), ("deepspeed",)),
    ("callback of no such class", option("--trainer.callbacks+", "lightning.pytorch.callbacks.Nope"), ("Nope",)),
    ("callback of no such module", option("--trainer.callbacks+", "no_such_module.Nope"), ("no_such_module",)),
    ("unknown logger", option("--trainer.logger", "NoLogger"), ("logger",)),
    ("no time", option("--trainer.max_time", "soon"), ("max_time",)),
    ("negative seed", option("--seed_everything", "-1"), ("seed_everything", "-1")),
    ("seed too large", option("--seed_everything", str(2**32)), ("seed_everything", str(2**32))),
    ("seed is a fraction", option("--seed_everything", "1.5"), ("seed_everything", "1.5")),
    ("seed is a word", option("--seed_everything", "lucky"), ("seed_everything", "lucky")),
    ("missing checkpoint", option("--ckpt_path", "no/such.ckpt"), ("no/such.ckpt",)),
    ("checkpoint is a folder", lambda at: at.fit("--ckpt_path", str(at.folder)), ("ckpt_path",)),
    ("checkpoint is text", lambda at: at.fit("--ckpt_path", at.file("a.ckpt", "hello")), ("a.ckpt",)),
    ("checkpoint is empty", lambda at: at.fit("--ckpt_path", at.file("a.ckpt", b"")), ("a.ckpt",)),
    ("checkpoint on the web", option("--ckpt_path", "http://127.0.0.1:9/a.ckpt"), ("127.0.0.1:9",)),
    ("best checkpoint without one", lambda at: at.fit("--ckpt_path", "best", command="validate"), ("best",)),
    ("batch size is a word", option("--data.batch_size", "abc"), ("batch_size", "abc")),
    ("batch size is negative", option("--data.batch_size", "-5"), ("batch_size", "-5")),
    ("workers are negative", option("--data.num_workers", "-1"), ("num_workers", "-1")),
    ("rate is not a number", option("--model.init_args.lr", "nan"), ("lr", "nan")),
    ("rate is infinite", option("--model.init_args.lr", "inf"), ("lr", "inf")),
    ("rate overflows", option("--model.init_args.lr", "1e400"), ("lr",)),
    ("temperature is negative", option("--model.init_args.temperature", "-1"), ("temperature", "-1")),
    ("unknown dtype", option("--model.init_args.dtype", "float7"), ("dtype", "float7")),
    (
        "LoRA pattern is no pattern",
        option("--model.init_args.tuning", "lora", "--model.init_args.lora_target_modules", "(("),
        ("((",),
    ),
    ("log steps are negative", option("--trainer.log_every_n_steps", "-2"), ("log_every_n_steps", "-2")),
    ("no accumulation", option("--trainer.accumulate_grad_batches", "0"), ("accumulate_grad_batches",)),
    ("part of the batches is too large", option("--trainer.limit_train_batches", "5.5"), ("limit_train_batches",)),
    ("unknown option", option("--trainer.max_epoch", "1"), ("max_epoch",)),
    ("unknown command", lambda at: ["tran"], ("tran",)),
    ("a word too many", option("surplus"), ("surplus",)),
    ("no words at all", lambda at: ["fit"], ("required",)),
]

EPISODES: list[tuple[str, Make, tuple[str, ...]]] = [
    ("budget is a word", setting("--environment.budget.max_records", "abc"), ("max_records", "abc")),
    ("budget is negative", setting("--environment.budget.max_records", "-5"), ("max_records", "-5")),
    ("budget is not a number", setting("--environment.budget.max_seconds", "nan"), ("max_seconds", "nan")),
    ("budget is a huge fraction", setting("--environment.budget.max_records", "1e400"), ("max_records",)),
    ("seed is false", setting("--seed_everything", "false"), ("seed_everything",)),
    ("seed is negative", setting("--seed_everything", "-2"), ("seed_everything", "-2")),
    ("val_size is zero", setting("--task.init_args.val_size", "0"), ("val_size", "0")),
    ("val_size is more than there is", setting("--task.init_args.val_size", "99999999"), ("val",)),
    (
        "folder of rows is missing",
        setting("--task", "tasks.math.MATHTask", "--task.init_args.path", "no/rows"),
        ("no/rows",),
    ),
    ("policy is no class", setting("--teacher.init_args.policy", "teachers.policies.Nope"), ("Nope",)),
    ("policy is no policy", setting("--teacher.init_args.policy", "pathlib.Path"), ("policy",)),
    ("policy's module raises", policy("1 / 0\n"), ("mine_", "line 3")),
    ("policy's module has a syntax error", policy("def (:\n"), ("mine_", "line 3")),
    ("policy's module exits", policy("raise SystemExit(3)\n"), ("mine_",)),
    (
        "policy's module is binary",
        lambda at: at.episode("--teacher.init_args.policy", at.module("\0\1") + ".Mine"),
        ("mine_",),
    ),
    (
        "policy without a task",
        policy("class Mine(Policy):\n    def __init__(self):\n        pass\nACT"),
        ("policy", "task"),
    ),
    (
        "policy that takes the task for a number",
        policy("class Mine(Policy):\n    def __init__(self, share=3):\n        self.share = share\nACT"),
        ("policy", "share"),
    ),
    (
        "policy that fails when it is made",
        policy("class Mine(Policy):\n    def __init__(self, task):\n        {}['x']\nACT"),
        ("policy", "KeyError"),
    ),
    ("abstract policy", policy("class Mine(Policy):\n    pass\n"), ("policy", "act")),
    ("resume of nothing", setting("--resume"), ("resume",)),
    ("run_dir is a file", lambda at: at.episode(run_dir=at.file("run", "x")), ("not a folder",)),
    ("run_dir is empty", lambda at: at.episode(run_dir=""), ("run directory",)),
    ("run_dir has a line break", lambda at: at.episode(run_dir=f"{at.folder}/a\nb"), ("run directory",)),
    ("run_dir is too long", lambda at: at.episode(run_dir=f"{at.folder}/{'a' * 300}"), ("aaa",)),
    ("run_dir below a file", lambda at: at.episode(run_dir=at.file("f", "x") + "/run"), ("/f",)),
    ("run_dir in another run", lambda at: at.episode(run_dir=at.run() + "/step_01/mine"), ("within",)),
    ("run_dir cannot be made", lambda at: at.episode(run_dir="/proc/none/run"), ("/proc/none",)),
    ("run of another configuration", resumed(), ("another configuration",)),
    ("damaged summary", resumed(summary__json="{"), ("summary.json",)),
    ("summary is a list", resumed(summary__json="[]"), ("summary.json",)),
    (
        "damaged configuration",
        resumed(summary__json={"status": "running"}, config__yaml=b"\xff\xfe\x00"),
        ("config.yaml",),
    ),
]

RUNS: list[tuple[str, Make, tuple[str, ...]]] = [
    ("report of nothing", lambda at: ["report"], ("RUN",)),
    ("report of a missing folder", lambda at: ["report", "no/run"], ("no/run",)),
    ("report of a file", lambda at: ["report", at.file("x", "x")], ("/x",)),
    ("report of no run", lambda at: ["report", str(at.folder)], ("not a run directory",)),
    ("report with an unknown option", lambda at: ["report", at.run(), "--outptu", "x"], ("--outptu", "--output")),
    ("report onto a folder", lambda at: ["report", at.run(), "--output", str(at.folder)], ("Cannot write",)),
    (
        "report into a missing folder",
        lambda at: ["report", at.run(), "--output", str(at.folder / "no/x.html")],
        ("no/x.html",),
    ),
    ("summary cut off", report(summary__json='{"status": "fin'), ("summary.json",)),
    ("summary is binary", report(summary__json=bytes(range(256))), ("summary.json",)),
    ("summary is deep", report(summary__json="[" * DEEP), ("summary.json",)),
    ("summary with a word for a number", report(summary__json={"records": "many"}), ("summary.json", "records")),
    ("summary with a list for skills", report(summary__json={"skills": [1]}), ("summary.json", "skills")),
    ("summary without a number", report(summary__json='{"before": {"val": {"accuracy": NaN}}}'), ("summary.json",)),
    (
        "summary is a folder",
        lambda at: [(Path(at.run(summary__json=None)) / "summary.json").mkdir() or "report", str(at.folder / "run")],
        ("summary.json",),
    ),
    (
        "episode.jsonl with a damaged line",
        report(episode__jsonl='{"step": 0}\nnonsense\n{"step": 1}\n'),
        ("episode.jsonl", "line 2"),
    ),
    (
        "episode.jsonl with text for a step",
        report(episode__jsonl='{"step": "one"}\n{"step": 1}\n'),
        ("episode.jsonl", "step"),
    ),
    ("episode.jsonl is a list", report(episode__jsonl="[]\n[]\n"), ("episode.jsonl",)),
    (
        "accuracy above one",
        rewritten("episode__jsonl", lambda row: row["val"]["overall"].update(value=7)),
        ("episode.jsonl",),
    ),
    ("trees are words", rewritten("episode__jsonl", lambda row: row["state"].update(trees=["x"])), ("episode.jsonl",)),
    (
        "prediction without a score",
        rewritten("step_00___predictions__jsonl", lambda row: row.pop("score")),
        ("predictions.jsonl",),
    ),
    (
        "prediction of no split",
        rewritten("step_01___predictions__jsonl", lambda row: row.update(split="dev")),
        ("predictions.jsonl",),
    ),
    (
        "an instance answered twice",
        rewritten("step_00___predictions__jsonl", lambda row: row.update(instance_id="val-00001")),
        ("predictions.jsonl", "val-00001"),
    ),
    ("predictions cut off", report(step_01___predictions__jsonl='{"split": "va'), ("predictions.jsonl",)),
    ("feedback is no JSON", report(step_01___feedback__json="oops"), ("feedback.json",)),
    ("errors are numbers", report(step_02___feedback__json={"errors": [1, 2]}), ("feedback.json",)),
    ("records are lists", report(step_01___records__jsonl="[1]\n"), ("records.jsonl",)),
    ("provenance is text", report(provenance__json='"x"'), ("provenance.json",)),
    ("calls are damaged", report(calls__jsonl='{"usage": 3}\n'), ("calls.jsonl",)),
    ("leaderboard of a missing folder", lambda at: ["leaderboard", "no/run"], ("no/run",)),
    ("leaderboard of no run", lambda at: ["leaderboard", str(at.folder)], ("not a run directory",)),
    ("leaderboard of nothing", lambda at: ["leaderboard"], ("RUN",)),
    ("leaderboard of a damaged run", lambda at: ["leaderboard", at.run(summary__json="{")], ("summary.json",)),
    ("leaderboard by a word", lambda at: ["leaderboard", at.run(), "--by", "luck"], ("luck",)),
    ("export of a missing folder", lambda at: ["export", "no/run", "--to", str(at.folder / "out")], ("no/run",)),
    ("export without a place", lambda at: ["export", at.run()], ("--to",)),
    ("export onto a folder", lambda at: ["export", at.run(), "--to", str(at.folder)], ("not empty",)),
    ("export onto a file", lambda at: ["export", at.run(), "--to", at.file("f", "x")], ("/f",)),
    (
        "export of a damaged configuration",
        lambda at: ["export", at.run(config__yaml="a: ["), "--to", str(at.folder / "out")],
        ("config.yaml",),
    ),
    (
        "export of fewer records",
        lambda at: ["export", at.run(step_01___records__jsonl=json.dumps(RECORD)), "--to", str(at.folder / "out")],
        ("records.jsonl",),
    ),
    ("export to no repository", lambda at: ["export", at.run(), "--to", "hub:a/b/c"], ("hub:a/b/c",)),
    (
        "discovery without a place",
        lambda at: ["discover-skills", "--config", str(ROOT / "configs/tasks/math_procedural.yaml")],
        ("required",),
    ),
    (
        "discovery by no chat model",
        lambda at: ["discover-skills", *at.episode()[1:9], "--out", str(at.folder / "skills.json")],
        ("chat",),
    ),
]

CLASSES = {
    "path": PATHS,
    "image": IMAGES,
    "record": RECORDS,
    "model": MODELS,
    "configuration": CONFIGURATIONS,
    "option": OPTIONS,
    "episode": EPISODES,
    "run": RUNS,
}
