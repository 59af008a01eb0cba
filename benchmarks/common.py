"""What the benchmarks share: the packages of this checkout, whether or not they are installed, and a parser."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def make_parser(text: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the text of a script, as it is laid out there."""
    return argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
