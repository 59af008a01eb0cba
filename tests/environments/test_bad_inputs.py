"""Every bad input ends in one line on stderr that names it, exits 2, and writes nothing where it should not."""

from __future__ import annotations

import builtins
import sys

import pytest
from bad_input_places import Place
from bad_inputs import CLASSES

from environments.cli import main

CASES = [(f"{kind}: {name}", make, said) for kind, cases in CLASSES.items() for name, make, said in cases]
SENTINEL = "what was here before\n"


@pytest.fixture
def place(tmp_path, tiny_model, monkeypatch):
    """A folder for the input, and a present folder that nothing may be written to."""
    (tmp_path / "input").mkdir()
    (tmp_path / "present").mkdir()
    (tmp_path / "present/config.yaml").write_text(SENTINEL)
    monkeypatch.chdir(tmp_path / "present")
    monkeypatch.syspath_prepend(str(tmp_path / "input"))
    monkeypatch.setattr(builtins, "input", lambda *_: pytest.fail("a question on the terminal"))
    monkeypatch.setattr(sys, "argv", ["dataenvgym"])
    return Place(tmp_path / "input", tiny_model)


def check_refusal(words, said, capfd):
    """Runs a command; it has to exit 2 with one line that mentions all of ``said``. Returns the line."""
    capfd.readouterr()
    status = main(words)
    errors = capfd.readouterr().err
    lines = [line for line in errors.splitlines() if line.startswith("dataenvgym: error: ")]
    assert status == 2, f"exit {status}: {errors[-2000:]}"
    assert len(lines) == 1 and "Traceback" not in errors, errors
    assert len(lines[0]) <= 640 and lines[0].isprintable(), lines[0]
    for fragment in said:
        assert fragment in lines[0], lines[0]
    return lines[0]


@pytest.mark.parametrize(("make", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_input(place, capfd, make, said, tmp_path):
    check_refusal(make(place), said, capfd)
    assert [path.name for path in (tmp_path / "present").iterdir()] == ["config.yaml"]
    assert (tmp_path / "present/config.yaml").read_text() == SENTINEL
    assert not list(tmp_path.rglob("report.html")) and not list(tmp_path.rglob("leaderboard*"))
    assert not list(tmp_path.rglob("*.ckpt.*")) and not (tmp_path / "input/out").exists()
