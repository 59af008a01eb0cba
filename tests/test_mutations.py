"""The list of faults that benchmarks/mutation_check.py puts in names lines and tests that are there."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MUTATIONS = yaml.safe_load((ROOT / "tests/mutations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("file", "faults"), MUTATIONS.items(), ids=MUTATIONS)
def test_faults_can_be_put_in(file, faults):
    content = (ROOT / file).read_text(encoding="utf-8")
    assert all((ROOT / name).is_file() for name in faults.pop("tests"))
    for name, fault in faults.items():
        assert content.count(fault["text"]) == 1, f"{name}: tests/mutations.yaml names a line that was rewritten"
        changed = content.replace(fault["text"], fault["by"])
        assert yaml.safe_load(changed) if file.endswith(".yaml") else compile(changed, file, "exec")
        assert fault["by"] != fault["text"]
