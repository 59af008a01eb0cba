"""What the documents name is there (test_documents.py runs their code)."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


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
