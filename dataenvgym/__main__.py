"""``python -m dataenvgym``: the command, where it is not installed."""

from dataenvgym.cli.main import console

console()
