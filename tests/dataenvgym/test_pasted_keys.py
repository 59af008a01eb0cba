"""Keys given in the wrong place: one line, exit 2, and the key in no output and in no file."""

import html
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from llm_server import LLMServer
from procedural_brain import ProceduralBrain
from processes import run

from dataenvgym.cli.main import main
from tasks.errors import ConfigurationError
from tasks.math import ProceduralMathTask
from tasks.vqa import ProceduralVQATask
from teachers.chat import AzureOpenAIChat, OpenAIChat
from teachers.chat.secrets import conceal, is_variable_name, redact
from teachers.engines import OpenAIImagesIllustrator

KEY = "sk-proj-9f2Lq7Zx0cVb4Nn81kTtY5"
PHRASE = "Tr0ub4dor-hunter2-staple"  # nothing about it says that it is a key
HEXADECIMAL = "4f9c2b7e81d64a05b3e8c1f7a2d96b40"
DIGITS = "90210777345512908834"
GOOD = "https://api.example.com/v1"
CHAT = "--teacher.init_args.chat.init_args."
POLICY = "--teacher.init_args.policy.init_args.chat"
AZURE = ("--teacher.init_args.chat", "teachers.chat.AzureOpenAIChat", f"{CHAT}model", "m")
ILLUSTRATOR = "--teacher.init_args.engine.init_args.illustrator"
PICTURES = ("--task", "tasks.vqa.ProceduralVQATask", ILLUSTRATOR, "teachers.engines.OpenAIImagesIllustrator")
SKILLS = ("--environment.skills", "environments.skills.DiscoveredSkills")

# Name, secret, words behind those of an episode; {} is the secret.
WORDS = [
    ("name, with a space", KEY, [f"{CHAT}api_key_env", "{}"]),
    ("name, with an equals sign", KEY, [f"{CHAT}api_key_env={{}}"]),
    ("name, hexadecimal", HEXADECIMAL, [f"{CHAT}api_key_env", "{}"]),
    ("name, hexadecimal in capitals", HEXADECIMAL.upper(), [f"{CHAT}api_key_env", "{}"]),
    ("name, Hugging Face", "hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh", [f"{CHAT}api_key_env", "{}"]),
    ("name, AWS", "AKIAIOSFODNN7EXAMPLE", [f"{CHAT}api_key_env", "{}"]),
    ("name, Google", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", [f"{CHAT}api_key_env", "{}"]),
    ("name, web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sflKxwRJ", [f"{CHAT}api_key_env", "{}"]),
    ("name, Groq", "gsk_v9TQ2mWx7LrB4nEc8KpYWGdyb3FY", [f"{CHAT}api_key_env", "{}"]),
    ("name, digits", DIGITS, [f"{CHAT}api_key_env", "{}"]),
    ("name, a phrase", PHRASE, [f"{CHAT}api_key_env", "{}"]),
    ("name, a word", "hunter2", [f"{CHAT}api_key_env", "{}"]),
    ("name, with a dollar sign", PHRASE, [f"{CHAT}api_key_env", "${{{}}}"]),
    ("name, as a header", PHRASE, [f"{CHAT}api_key_env", "Bearer {}"]),
    ("name, after a minus", PHRASE, [f"{CHAT}api_key_env", "-{}"]),
    ("name, two lines", PHRASE, [f"{CHAT}api_key_env", "OPENAI_API_KEY\n{}"]),
    ("name, list", PHRASE, [f"{CHAT}api_key_env", '["{}"]']),
    ("name, mapping", PHRASE, [f"{CHAT}api_key_env", '{{"{}": 1}}']),
    ("name, without init_args", PHRASE, ["--teacher.chat.api_key_env", "{}"]),
    ("name, in a block of JSON", PHRASE, [f"{CHAT[:-1]}", '{{"model": "m", "api_key_env": "{}"}}']),
    ("name, in broken JSON", PHRASE, [f"{CHAT[:-1]}", '{{"model": "m", "api_key_env": "{}"']),
    (
        "name, of the policy's chat",
        PHRASE,
        [POLICY, "teachers.chat.OpenAIChat", f"{POLICY}.init_args.api_key_env", "{}"],
    ),
    ("name, of the discovery's chat", PHRASE, [*SKILLS, "--environment.skills.init_args.chat.api_key_env", "{}"]),
    ("name, of the illustrator", PHRASE, [*PICTURES, f"{ILLUSTRATOR}.api_key_env={{}}"]),
    ("name, printed", PHRASE, [f"{CHAT}api_key_env", "{}", "--print_config"]),
    ("setting that does not exist", PHRASE, [f"{CHAT}api_key", "{}"]),
    ("setting of other classes", PHRASE, [f"{CHAT[:-11]}.dict_kwargs.api_key", "{}"]),
    ("option that does not exist", PHRASE, ["--api-key", "{}"]),
    ("option that does not exist, with another's name", KEY, ["--openai", "{}"]),
    ("option named by the key", KEY, ["--{}", "1"]),
    ("assignment behind the command", PHRASE, ["OPENAI_API_KEY={}"]),
    ("word behind the command", KEY, ["{}"]),
    ("number's place", KEY, ["--seed_everything", "{}"]),
    ("model's place", KEY, [f"{CHAT}model", "{}"]),
    ("address, query", PHRASE, [f"{CHAT}base_url", GOOD + "?api_key={}"]),
    ("address, query without a name", PHRASE, [f"{CHAT}base_url", GOOD + "?{}"]),
    ("address, fragment", PHRASE, [f"{CHAT}base_url", GOOD + "#{}"]),
    ("address, password", PHRASE, [f"{CHAT}base_url", "https://me:{}@api.example.com/v1"]),
    ("address, user", PHRASE, [f"{CHAT}base_url", "https://{}@api.example.com/v1"]),
    ("address, port", PHRASE, [f"{CHAT}base_url", "https://api.example.com:{}/v1"]),
    ("address, path", KEY, [f"{CHAT}base_url", "https://api.example.com/{}/v1"]),
    ("address, host", KEY, [f"{CHAT}base_url", "https://{}/v1"]),
    ("address, no scheme", PHRASE, [f"{CHAT}base_url", "me:{}@api.example.com/v1"]),
    ("address, one slash", PHRASE, [f"{CHAT}base_url", "https:/me:{}@api.example.com/v1"]),
    ("address, other scheme", PHRASE, [f"{CHAT}base_url", "ftp://me:{}@api.example.com/v1"]),
    ("address, line break", PHRASE, [f"{CHAT}base_url", "https://api.example.com/\n{}"]),
    ("address, bracket", PHRASE, [f"{CHAT}base_url", "https://[{}/v1"]),
    ("address, nothing else", PHRASE, [f"{CHAT}base_url", "{}"]),
    ("address, list", PHRASE, [f"{CHAT}base_url", '["https://me:{}@api.example.com"]']),
    ("address, Azure", PHRASE, [*AZURE, f"{CHAT}endpoint", "https://x.openai.azure.com/?code={}"]),
    ("address, images", PHRASE, [*PICTURES, f"{ILLUSTRATOR}.base_url", GOOD + "?k={}"]),
    ("address of something else", PHRASE, ["--trainer.logger.init_args.save_dir", "https://me:{}@host/x"]),
]

IN_CHAT = "teacher:\n  init_args:\n    chat:\n      init_args:\n        "
FILES = [
    ("name", PHRASE, "teacher: {{init_args: {{chat: {{init_args: {{api_key_env: {}}}}}}}}}"),
    ("name, number", DIGITS, IN_CHAT + "api_key_env: {}"),
    ("name, folded", PHRASE, IN_CHAT + "api_key_env: >\n          {}"),
    ("name, broken file", PHRASE, "teacher: {{init_args: {{chat: {{init_args: {{api_key_env: {}"),
    ("name, tab", PHRASE, "teacher:\n\tinit_args:\n\t\tapi_key_env: {}"),
    ("setting that does not exist", PHRASE, IN_CHAT + "api_key: {}"),
    ("block that does not exist", PHRASE, "openai:\n  api_key: {}"),
    ("under a name of two lines", PHRASE, '"a\\nb": {{api_key: {}}}'),
    ("endless list", PHRASE, "teacher: &all [*all, {{api_key: {}}}]"),
    ("anything", KEY, "trainer:\n  default_root_dir: {}"),
    ("address", PHRASE, IN_CHAT + "base_url: " + GOOD + "?api_key={}"),
]

VARIABLES = [
    ("address, password", PHRASE, "OPENAI_BASE_URL", "https://me:{}@api.example.com/v1"),
    ("address, query", PHRASE, "OPENAI_BASE_URL", GOOD + "?api_key={}"),
    ("address, fragment", PHRASE, "OPENAI_BASE_URL", GOOD + "#{}"),
    ("address, no scheme", PHRASE, "OPENAI_BASE_URL", "{}"),
    ("address, port", PHRASE, "OPENAI_BASE_URL", "http://localhost:{}/v1"),
    ("key, line break", KEY, "OPENAI_API_KEY", "{}\nX-Other: 1"),
    ("key, space", KEY, "OPENAI_API_KEY", "Bearer {}"),
    ("key, quotation marks", KEY, "OPENAI_API_KEY", '"{}"'),
    ("key, beyond ASCII", KEY, "OPENAI_API_KEY", "{}ß"),
    ("key, not even a text", KEY, "OPENAI_API_KEY", "{}\udcff"),
    ("proxy, port", PHRASE, "HTTPS_PROXY", "http://me:{}@proxy.example.com:x"),
    ("proxy, scheme", PHRASE, "ALL_PROXY", "ftp://me:{}@proxy.example.com:80"),
    ("proxy, space", PHRASE, "http_proxy", "http://me:{}@proxy .example.com:80"),
    ("header", PHRASE, "OPENAI_ORG_ID", "{}\nX-Other: 1"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("OPENAI", "AZURE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", "value-of-the-variable-0123456789")


@pytest.fixture
def words(episode_words):
    return lambda run_dir, *extra: episode_words(run_dir, *extra, teacher="open_ended_llm")


def hits(secret, *places):
    texts = [(str(place)[:80], place.encode()) for place in places if isinstance(place, str)]
    files = [path for place in places if isinstance(place, Path) for path in place.rglob("*") if path.is_file()]
    texts += [(str(path), path.read_bytes()) for path in files]
    return [name for name, text in texts if secret.encode() in text or secret in name]


def refuses(secret, command, run_dir, capfd):
    assert main(command) == 2
    told = capfd.readouterr()
    lines = [line for line in told.err.splitlines() if line.startswith("dataenvgym: error:")]
    assert len(lines) == 1 and told.err.endswith(f"{lines[0]}\n") and "Traceback" not in told.err, told.err
    assert not hits(secret, told.out, told.err) and not run_dir.exists()
    return lines[0]


@pytest.mark.parametrize(("secret", "extra"), [case[1:] for case in WORDS], ids=[case[0] for case in WORDS])
def test_a_key_on_the_command_line(secret, extra, words, tmp_path, capfd):
    given = [word.format(secret) for word in extra]
    refuses(secret, [*words(tmp_path / "run", "--dry_run"), *given], tmp_path / "run", capfd)


@pytest.mark.parametrize(("secret", "text"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_key_in_a_configuration(secret, text, words, tmp_path, capfd):
    (tmp_path / "mine.yaml").write_text(text.format(secret))
    command = words(tmp_path / "run", "--config", str(tmp_path / "mine.yaml"), "--dry_run")
    refuses(secret, command, tmp_path / "run", capfd)


@pytest.mark.parametrize(("secret", "name", "value"), [case[1:] for case in VARIABLES], ids=[c[0] for c in VARIABLES])
def test_a_key_in_the_environment(secret, name, value, words, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv(name, value.format(secret))
    line = refuses(secret, words(tmp_path / "run", "--dry_run"), tmp_path / "run", capfd)
    assert name.lower() in line.lower()


def test_the_value_of_a_variable_in_any_place(words, tmp_path, capfd):
    secret = os.environ["OPENAI_API_KEY"]
    for option in (f"{CHAT}model", "--run_dir", "--trainer.default_root_dir"):
        refuses(secret, words(tmp_path / "run", "--dry_run", option, secret), tmp_path / "run", capfd)


@pytest.mark.parametrize("command", ["discover-skills", "fit", "validate", "report", "leaderboard", "export"])
def test_a_key_behind_every_command(command, tmp_path, capfd):
    refuses(KEY, [command, "--out", str(tmp_path / "run"), KEY], tmp_path / "run", capfd)
    refuses(KEY, [KEY, command], tmp_path / "run", capfd)
    refuses(PHRASE, [command, f"{CHAT}api_key_env", PHRASE], tmp_path / "run", capfd)


@pytest.mark.slow
def test_commands_as_processes_leave_no_key_anywhere(words, tmp_path):
    """The same cases as real commands, with a server at hand: nothing is printed, written or sent."""
    folder = tmp_path / "files"
    folder.mkdir()
    cases = [(secret, [word.format(secret) for word in extra], {}) for _, secret, extra in WORDS[::3]]
    cases += [(secret, [], {name: value.format(secret)}) for _, secret, name, value in VARIABLES[1:6:4]]
    for number, (_, secret, text) in enumerate(FILES):
        path = folder / f"{number}.yaml"
        path.write_text(text.format(secret))
        cases.append((secret, ["--config", str(path)], {}))
    assert len(cases) >= 25
    with LLMServer(key=None) as server:
        for number, (secret, extra, environ) in enumerate(cases):
            run_dir = tmp_path / "runs" / str(number)
            address = {} if f"{CHAT}base_url" in extra else {"OPENAI_BASE_URL": server.url}
            done = run([*words(run_dir), *extra], environ={**os.environ, **address, **environ})
            assert done.returncode == 2 and "Traceback" not in done.stderr, (extra, environ, done.stderr)
            assert sum("dataenvgym: error:" in line for line in done.stderr.splitlines()) == 1
            assert not hits(secret, done.stdout, done.stderr, tmp_path / "runs"), (extra, environ)
    assert not server.log


class Echoing(LLMServer):
    """A server that repeats the key in every error and reply, in another form each time."""

    def forms(self, key):
        return " ".join(form(key) for form in FORMS)

    def _unbilled(self, kind, given):
        return self._error(429 if kind == "rate_limit" else 403, self.forms(given))

    def _completion(self, body, kind, given):
        completion = super()._completion(body, kind, given)
        if kind == "wrong_schema":
            completion["choices"][0]["message"]["content"] = self.forms(given)
        return completion


FORMS = [
    str,
    lambda key: quote(key, safe=""),
    lambda key: quote(quote(key, safe=""), safe=""),
    lambda key: "".join(f"%{ord(character):02x}" for character in key),
    lambda key: json.dumps(key),
    lambda key: "".join(f"\\u{ord(character):04x}" for character in key),
    lambda key: json.dumps(json.dumps("".join(f"\\x{ord(character):02X}" for character in key))),
    html.escape,
    lambda key: "".join(f"&#{ord(character)};" for character in key),
    lambda key: f"Bearer {key[:-4]}",
    lambda key: f"{key[:12]}…",
    lambda key: f"…{key[-9:]}",
    lambda key: f"{key[:6]}{'*' * 20}{key[-4:]}",
    lambda key: f"{key[:3]}...{key[-4:]}",
    lambda key: f"http://me:{key}@host/",
]


def test_an_endpoint_that_repeats_the_key_in_every_form(words, tmp_path, monkeypatch, capfd):
    secret = "sk-proj/9f2Lq7Zx+0cVb4Nn81=kTtY5"
    brain = ProceduralBrain(ProceduralMathTask(val_size=54, test_size=54))

    def fault(body, attempt):
        asked_again = any(message["role"] == "assistant" for message in body["messages"])
        return None if asked_again else ("rate_limit", "wrong_schema")[min(attempt, 1)]

    with Echoing(brain, key=secret, faults=fault) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", secret)
        monkeypatch.setattr("teachers.chat.concurrency._FIRST_WAIT", 0.01)
        assert main(words(tmp_path / "run")) == 0
        assert {"rate_limit", "wrong_schema"} <= server.kinds().keys()
        server.faults = {"filtered": 1.0}
        assert main(words(tmp_path / "refused")) != 0
    told = capfd.readouterr()
    assert "[API key]" in told.err and "403" in told.err, told.err
    assert "[API key]" in (tmp_path / "run" / "calls.jsonl").read_text(encoding="utf-8")
    texts = [told.out, told.err, tmp_path]
    for part in (secret, quote(secret, safe=""), secret[:9], secret[-9:], "9f2Lq7Zx", "0cVb4Nn81"):
        assert not hits(part, *texts), part


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_taken_out_in_every_form(form):
    for secret in ("sk-proj/9f2Lq7Zx+0cVb4Nn81=kTtY5", HEXADECIMAL, PHRASE):
        text = redact(f"The key {form(secret)} is wrong, said 100% of <us> \\o/.", secret)
        assert text.startswith("The key ") and text.endswith(" is wrong, said 100% of <us> \\o/.")
        rest = text[8:-33].replace("[API key]", "")
        assert "[API key]" in text and len(rest) <= 18, rest  # "Bearer ", "http://me:@host/", quotation marks
        assert not any(secret[index : index + 4] in rest for index in range(len(secret) - 3)), rest


def test_texts_without_the_key_stay_as_they_are():
    for text in (
        "",
        "a\\nb",
        "100 % of 3...4 and **bold**",
        r"\frac{1}{2} \u00e9 %41",
        "proj-hunter",
        "…",
        "sk-…",
        "x" * 9,
    ):
        assert redact(text, "Tr0ub4dor-hunter2-staple") == text
    assert redact("none of the nonesuch", "none") == "none of the nonesuch"
    assert redact("my pass%77ord1 is password", "password1") == "my [API key] is password"


def test_what_is_printed_last_has_no_key_and_no_password():
    assert conceal(f"at http://me:{PHRASE}@host:1/v1?k={PHRASE} no") == "at http://host:1/v1[…] no"
    assert conceal(f"header {KEY}, value-of-the-variable-0123456789") == "header [API key], [API key]"
    plain = "runs/sk-learn-is-a-folder at http://localhost:8000/v1: task-oriented-dialogue, hf_name"
    assert conceal(plain) == plain


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "MY_KEY", "KEY", "GPT4O_KEY", "K8S_TOKEN", "AI21_API_KEY", "_KEY"),
        *("KEY_2", "TEST_IMAGE_KEY", "AZURE_OPENAI_API_KEY_EASTUS2", "GOOGLE_GENERATIVEAI_API_KEY", "V1_5_KEY"),
        *("my_api_key", "openai_token", "OpenAI_Key", "OPENROUTER", "HUGGINGFACEHUB_API_TOKEN", "OPENAI__KEY"),
    ],
)
def test_names_of_variables_are_taken(name):
    assert OpenAIChat("m", api_key_env=name).api_key_env == name


def test_a_variable_that_is_set_is_one(monkeypatch):
    assert not is_variable_name("mycreds")
    monkeypatch.setenv("mycreds", "x")
    assert is_variable_name("mycreds")


def illustrator(model, *words, **settings):
    return OpenAIImagesIllustrator(ProceduralVQATask(), model, *words, **settings)


@pytest.mark.parametrize(
    "name", ["", " ", "1KEY", "A B", "KEY\n", "KÉY", "\ud800", "a" * 40, "A" * 70, "A=B", "$KEY", "%KEY%"]
)
def test_names_of_no_variable_are_refused_by_every_class(name):
    for make in (OpenAIChat, AzureOpenAIChat, illustrator):
        with pytest.raises(
            ConfigurationError, match="api_key_env is not the name of an environment variable"
        ) as caught:
            make("m", api_key_env=name)
        assert not name.strip() or name not in str(caught.value) or name == "A B"


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8000/v1",
        "https://api.openai.com",
        "http://127.0.0.1:1/v1/",
        "http://[::1]:8000/v1",
        "https://h/a/~b/v1",
    ],
)
def test_addresses_that_are_right(address, monkeypatch):
    assert OpenAIChat("m", address).base_url == address
    assert AzureOpenAIChat("m", address).base_url == address
    assert illustrator("m", address, folder=None).base_url == address
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PHRASE}@proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1,::1")
    assert OpenAIChat("m").base_url is None


@pytest.mark.parametrize("name", ["base_url", "endpoint"])
@pytest.mark.parametrize("address", [case[2][-1] for case in WORDS if case[0].startswith("address, ")])
def test_addresses_that_are_wrong_are_refused_by_every_class(name, address):
    for make in (OpenAIChat, illustrator) if name == "base_url" else (AzureOpenAIChat,):
        with pytest.raises(ConfigurationError) as caught:
            make("m", **{name: address.format(KEY)})
        assert KEY not in str(caught.value) and "\n" not in str(caught.value)
