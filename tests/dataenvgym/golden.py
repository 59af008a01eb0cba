"""Pages and tables compared with files: ``WRITE_GOLDEN=1 python -m pytest tests/dataenvgym`` writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Fails unless a text is that of a file in ``golden/``; drawings and styles of a page are left out.

    Args:
        name: The file's name.
        text: What is compared.
    """
    text = re.sub(r"<(svg|style)\b.*?</\1>", r"<\1/>", text, flags=re.DOTALL)
    path = FOLDER / name
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
