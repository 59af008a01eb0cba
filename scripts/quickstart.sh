#!/usr/bin/env bash
# Watch a student get better because a teacher writes data for its weak skills; offline, CPU, some minutes.
#   ./scripts/quickstart.sh [options of `dataenvgym episode`]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup_environment.sh ""
# A first run has nothing to resume; an interrupted one goes on, and a finished one says so.
case " $* " in
  *" --resume "* | *" --run_dir"*) ;;
  *) [ -f runs/quickstart/config.yaml ] && set -- --resume "$@" ;;
esac
exec dataenvgym episode --config configs/quickstart.yaml --run_dir runs/quickstart "$@"
