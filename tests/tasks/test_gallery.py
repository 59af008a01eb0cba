"""The galleries in the tasks' README files are what the code makes today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("task", ["tasks.math.ProceduralMathTask", "tasks.math.ReasoningGymTask"])
def test_the_readme_holds_the_gallery(task: str) -> None:
    script = ROOT / "scripts" / "gallery.py"
    made = subprocess.run([sys.executable, str(script), task], capture_output=True, text=True, check=True).stdout
    assert made.strip() in (ROOT / "tasks" / "math" / "README.md").read_text(encoding="utf-8")
