"""``dataenvgym report RUN…``: one page for one or several run directories."""

from collections.abc import Sequence
from pathlib import Path

from dataenvgym.cli.parser import CommandParser
from dataenvgym.reporting.report import write_report


def report(words: Sequence[str]) -> int:
    """Writes the report and says where it is."""
    parser = CommandParser(prog="dataenvgym report", description="One self-contained page for one or several runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directory")
    parser.add_argument("--output", type=Path, help="where to write it (default: report.html of the first run)")
    arguments = parser.parse_args(words)
    print(write_report(arguments.runs, arguments.output, regrets=True))
    return 0
