"""Puts small faults into a copy of the repository, one at a time, and says which of them its tests notice.

    python benchmarks/mutation_check.py                    all of tests/mutations.yaml; minutes
    python benchmarks/mutation_check.py cap "best step"    those whose name or file holds one of these
    python benchmarks/mutation_check.py --list other.yaml --tree ../other-checkout

Exits 1 if a fault survives, and 2 if a text to be replaced does not stand exactly once in its file.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from common import ROOT, make_parser

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "runs", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")


def check(tree: Path, mutations: Sequence[Mapping[str, str | list[str]]]) -> int:
    """Tries every mutation in a copy of a tree, and prints what became of it; returns how many survived."""
    survived = 0
    for mutation in mutations:
        content = (tree / str(mutation["file"])).read_text(encoding="utf-8")
        if (found := content.count(str(mutation["text"]))) != 1:
            print(f"{mutation['file']} holds the text of {mutation['name']!r} {found} times: write it anew.")
            raise SystemExit(2)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(tree, copy, ignore=_NOT_COPIED)
        for mutation in mutations:
            path = copy / str(mutation["file"])
            kept = path.read_text(encoding="utf-8")
            path.write_text(kept.replace(str(mutation["text"]), str(mutation["by"])), encoding="utf-8")
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutation["tests"]]
            environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=False)
            path.write_text(kept, encoding="utf-8")
            if done.returncode not in (0, 1):
                raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
            survived += not done.returncode
            noticed = next((line for line in done.stdout.splitlines() if line.startswith("FAILED")), "")
            print(f"{'caught' if done.returncode else 'SURVIVED'}: {mutation['name']}  {noticed[:150]}", flush=True)
    print(f"{len(mutations) - survived} of {len(mutations)} caught")
    return survived


def main() -> int:
    """Reads the options and the list; exits 1 if a mutation survives."""
    parser = make_parser(__doc__)
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout that is copied")
    parser.add_argument("--list", type=Path, default=ROOT / "tests" / "mutations.yaml", help="the mutations")
    parser.add_argument("words", nargs="*", help="only those whose name or file holds one of these")
    chosen = parser.parse_args()
    every = [
        {"file": file, "name": name, "tests": faults["tests"], **fault}
        for file, faults in yaml.safe_load(chosen.list.read_text(encoding="utf-8")).items()
        for name, fault in faults.items()
        if name != "tests"
    ]
    words = chosen.words or [""]
    wanted = [one for one in every if any(word in one["name"] + one["file"] for word in words)]
    return int(check(chosen.tree.resolve(), wanted) > 0)


if __name__ == "__main__":
    sys.exit(main())
