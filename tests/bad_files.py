"""Bad files by class: each is a name, what makes its words in a Place, and what the line on stderr has to mention."""

import json
from pathlib import Path

from bad_input_places import RECORD, ROOT, picture, png
from bad_input_words import (
    DEEP,
    Make,
    continued,
    image,
    leaking_run,
    linked,
    linked_folder,
    option,
    outside,
    raw,
    report,
    rewritten,
    rows,
    rows_of,
    student,
)

Cases = list[tuple[str, Make, tuple[str, ...]]]

PATHS: Cases = [
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

IMAGES: Cases = [
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

RECORDS: Cases = [
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

MODELS: Cases = [
    ("empty folder", lambda at: at.fit(model=str(at.folder)), ("config.json",)),
    ("a file", lambda at: at.fit(model=at.file("weights.bin", b"x")), ("weights.bin", "is a file")),
    ("home of nobody", option("--model.init_args.model_name_or_path", "~nobody-here/model"), ("~nobody-here",)),
    ("missing folder", option("--model.init_args.model_name_or_path", "./no/such/model"), ("./no/such/model",)),
    ("no network to the hub", option("--model.init_args.model_name_or_path", "some/model"), ("some/model",)),
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

RUNS: Cases = [
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

MATH = {"problem": "1+1?", "solution": "2", "level": 1, "type": "Algebra"}
SCENE = {
    "id": "1",
    "question": "There is a dot.",
    "sentence": "There is a dot.",
    "label": "true",
    "image": "../secret.png",
}

BENCHMARKS: Cases = [
    (
        "MATH with a number for a text",
        rows_of("tasks.math.MATHTask", {"train.jsonl": json.dumps(MATH), "test.jsonl": json.dumps(MATH)}),
        ("line 1", "level"),
    ),
    ("MATH as CSV", rows_of("tasks.math.MATHTask", {"test.csv": "a,b"}), ("train.jsonl",)),
    ("MATH, an empty folder", rows_of("tasks.math.MATHTask", {"notes.txt": ""}), ("train.jsonl",)),
    (
        "NLVR with an image outside",
        rows_of("tasks.vqa.NLVRTask", {"dev.jsonl": json.dumps(SCENE), "../secret.png": png(4, 4).decode("latin-1")}),
        ("dev.jsonl, line 1",),
    ),
    (
        "LiveCodeBench cut off",
        rows_of("tasks.code.LiveCodeBenchTask", {"test.jsonl": "{", "val.jsonl": "{"}),
        ("test.jsonl, line 1",),
    ),
    ("HumanEval, deep", rows_of("tasks.code.HumanEvalTask", {"test.jsonl": "[" * DEEP}), ("test.jsonl, line 1",)),
    ("m&m's, lists", rows_of("tasks.tool_use.MnmsTask", {"val.jsonl": "[]", "test.jsonl": "[]"}), ("jsonl, line 1",)),
]

RESUMES: Cases = [
    ("line cut off", continued(episode__jsonl="{"), ("episode.jsonl",)),
    ("line without rejected", continued(episode__jsonl=lambda row: row.pop("rejected")), ("episode.jsonl",)),
    ("predictions cut off", continued(step_00___predictions__jsonl="{"), ("predictions.jsonl",)),
    (
        "prediction without a score",
        continued(step_00___predictions__jsonl=lambda row: row.pop("score")),
        ("score is missing",),
    ),
    ("no predictions", continued(step_00___predictions__jsonl=None), ("predictions.jsonl",)),
    ("no student", continued(), ("step_01/student",)),
    (
        "record of a secret",
        continued(step_01___records__jsonl=lambda row: row.update(image="../../secret.txt")),
        ("secret.txt",),
    ),
    ("records of lists", continued(step_01___records__jsonl="[]"), ("records.jsonl",)),
    ("summary of lists", continued(summary__json="[]"), ("summary.json",)),
]

FILES = {
    "path": PATHS,
    "image": IMAGES,
    "record": RECORDS,
    "model": MODELS,
    "run": RUNS,
    "benchmark": BENCHMARKS,
    "resume": RESUMES,
}
