"""The list of faults that benchmarks/mutation_check.py puts in names lines and tests that are there."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MUTATIONS = yaml.safe_load((ROOT / "tests/mutations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation["name"])
def test_a_fault_can_be_put_in(mutation):
    content = (ROOT / mutation["file"]).read_text(encoding="utf-8")
    assert content.count(mutation["text"]) == 1, "tests/mutations.yaml names a line that was rewritten"
    compile(content.replace(mutation["text"], mutation["by"]), mutation["file"], "exec")
    assert mutation["by"] != mutation["text"] and all((ROOT / name).is_file() for name in mutation["tests"])
