"""What the README tells a newcomer to type works."""

import re
import sys
from pathlib import Path

import pytest

from environments.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_write_your_own_teacher(episode_words, tmp_path, monkeypatch):
    name, code = re.search(r"```python\n# (\w+)\.py.*?\n(.*?)```", README, re.DOTALL).groups()
    assert len(code.splitlines()) <= 30
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    policy = re.search(r"--teacher.init_args.policy (\S+)", README).group(1)
    words = episode_words(tmp_path / "run", "--teacher.init_args.policy", policy, environment="skill_list")
    assert main(words) == 0
    assert name in sys.modules


def test_every_file_that_the_documents_name_exists():
    pattern = r"`((?:configs|scripts|benchmarks|docs|tests|environments|teachers|tasks|lightning_modules)/[\w./]+)`"
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(pattern, document.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{document.name} names {name}"


def test_every_command_of_the_readme_names_configs_that_exist():
    named = re.findall(r"--config (\S+\.yaml)", README)
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name
