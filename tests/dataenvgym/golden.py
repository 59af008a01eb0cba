"""Pages and tables compared with files: ``WRITE_GOLDEN=1 python -m pytest tests/dataenvgym`` writes them again."""

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    text = re.sub(r"<(svg|style)\b.*?</\1>", r"<\1/>", text, flags=re.DOTALL)
    path = FOLDER / name
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
