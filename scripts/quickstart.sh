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
echo "One episode of five steps: a teacher writes some 1,000 records, a tiny student learns from them. Some minutes;"
echo "Ctrl-C and the same command go on later. Loading PyTorch ..."
dataenvgym episode --config configs/quickstart.yaml --run_dir runs/quickstart "$@"
cat <<'NEXT'

Next: open the report in a browser, or try another teacher (dataenvgym list policies) and compare the two:
  source .venv/bin/activate
  dataenvgym episode --config configs/quickstart.yaml --teacher.init_args.policy teachers.policies.NoStatePolicy --run_dir runs/no_state
  dataenvgym report runs/quickstart runs/no_state
In Python: import dataenvgym; dataenvgym.load("runs/quickstart").skills
NEXT
