#!/usr/bin/env bash
# Watch a student get better because a teacher writes data for its weak skills; offline, CPU, some minutes.
#   ./scripts/quickstart.sh [options of `dataenvgym episode`]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup_environment.sh ""
exec dataenvgym episode --config configs/quickstart.yaml --run_dir runs/quickstart --resume "$@"
