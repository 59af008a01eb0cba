#!/usr/bin/env bash
# Makes .venv-servers/ with two chat servers by other people, for the tests of this folder; nothing else needs them.
#   ./tests/foreign_servers/install.sh      with the project's .venv in place, or PYTHON=/path/to/its/python
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$HERE/../.." && pwd)"
VENVS="${DATAENVGYM_SERVERS:-$ROOT/.venv-servers}"
PROJECT_PYTHON="${PYTHON:-$ROOT/.venv/bin/python}"

"$PROJECT_PYTHON" -c 'import torch, transformers' || {
    echo "$PROJECT_PYTHON has no torch and transformers: run ./scripts/test.sh first, or set PYTHON." >&2
    exit 2
}
for name in transformers litellm; do
    "$PROJECT_PYTHON" -m venv "$VENVS/$name"
done
# A second torch would be gigabytes: this server sees the project's packages, and gets what they lack for serving.
SITE='import sysconfig; print(sysconfig.get_path("purelib"))'
"$PROJECT_PYTHON" -c "$SITE" > "$("$VENVS/transformers/bin/python" -c "$SITE")/project.pth"

INSTALL=(-m pip install --quiet --disable-pip-version-check)
"$VENVS/transformers/bin/python" "${INSTALL[@]}" --constraint "$ROOT/constraints.txt" --requirement "$HERE/transformers.txt"
"$VENVS/litellm/bin/python" "${INSTALL[@]}" --requirement "$HERE/litellm.txt"
du -sh "$VENVS"/*
