#!/usr/bin/env bash
# Formatting, lint, types and tests, without network, keys or GPU.
#   ./scripts/test.sh [options of pytest]      e.g. -m "not slow"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup_environment.sh "dev,reasoning-gym"
export HF_HUB_OFFLINE=1
ruff format --check .
ruff check .
mypy
# Two worker processes with one thread each: faster here than one process with two threads.
OMP_NUM_THREADS=1 exec python -m pytest -n 2 --dist worksteal "$@"
