#!/usr/bin/env bash
# Makes .venv/ with the pinned packages, or reuses it; sourced by quickstart.sh and test.sh.
#   source scripts/setup_environment.sh [extras]      e.g. "dev,reasoning-gym"
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
EXTRAS="${1:-}"
VENV="$ROOT/.venv"
PYTHON_COMMAND="${PYTHON:-python3}"

"$PYTHON_COMMAND" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or newer is needed, found $("$PYTHON_COMMAND" --version): set PYTHON=/path/to/python3.11." >&2
    exit 2
}
if [ ! -x "$VENV/bin/python" ]; then
    echo "Making the environment in .venv (once) ..."
    "$PYTHON_COMMAND" -m venv "$VENV"
fi

# The stamp holds what was installed, so that a change of the pins or of the extras installs again and nothing else does.
STAMP="$VENV/.installed-$(printf '%s' "$EXTRAS" | tr -c 'a-z0-9' '-')"
WANTED="$(cat "$ROOT/setup.py" "$ROOT/constraints.txt" | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$STAMP" 2>/dev/null)" != "$WANTED" ]; then
    echo "Installing the pinned packages (some minutes the first time) ..."
    # torch first and alone: with it in place no other package's open range can pull in another build.
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$(grep '^torch==' "$ROOT/constraints.txt")"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$ROOT/constraints.txt" --editable "$ROOT${EXTRAS:+[$EXTRAS]}"
    printf '%s' "$WANTED" > "$STAMP"
fi

export PATH="$VENV/bin:$PATH"
# Idle OpenMP threads otherwise spin against the busy ones: up to thirty times slower on shared cores.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}" KMP_BLOCKTIME="${KMP_BLOCKTIME:-0}" TOKENIZERS_PARALLELISM=false
