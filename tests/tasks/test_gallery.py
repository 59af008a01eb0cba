"""The galleries in the tasks' README files are what the code makes today."""

import runpy
from pathlib import Path

import pytest

from tasks.base import ProceduralTask
from tasks.math import ProceduralMathTask, ReasoningGymTask
from tasks.tool_use import ProceduralToolUseTask
from tasks.vqa import ProceduralVQATask

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("domain", "task"),
    [
        ("math", ProceduralMathTask),
        ("math", ReasoningGymTask),
        ("vqa", ProceduralVQATask),
        ("tool_use", ProceduralToolUseTask),
    ],
)
def test_the_readme_holds_the_gallery(domain: str, task: type[ProceduralTask]) -> None:
    gallery = runpy.run_path(str(ROOT / "scripts" / "gallery.py"))["gallery"]
    assert gallery(task()).strip() in (ROOT / "tasks" / domain / "README.md").read_text(encoding="utf-8")
