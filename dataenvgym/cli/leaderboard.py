"""``dataenvgym leaderboard RUN…``: teachers ranked per task and environment, with intervals, costs and floors."""

import os
from collections.abc import Sequence
from pathlib import Path

from dataenvgym.cli.parser import CommandParser
from dataenvgym.reading import read_run
from dataenvgym.reporting.leaderboard import make_leaderboard
from dataenvgym.reporting.leaderboard_page import to_html, to_markdown
from environments.run.directory import RunDir
from tasks.errors import RecordError
from tasks.records import write_atomic


def leaderboard(words: Sequence[str]) -> int:
    """Writes leaderboard.html and leaderboard.md, says where they are, and what was refused."""
    parser = CommandParser(
        prog="dataenvgym leaderboard",
        description="Ranks teachers per task and environment. Every row needs two floors with the same task, "
        "environment, student and budget among the runs: a no-state teacher, and more epochs of step 1's records "
        "(teachers.policies.FirstStepPolicy with trainer.max_epochs times the number of steps). Runs whose accepted "
        "records hold an evaluation instance are refused.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directory")
    parser.add_argument("--by", choices=("last", "best"), default="last", help="rank by the last or by the best step")
    parser.add_argument("--to", type=Path, help="folder to write to (default: the one that holds all runs)")
    arguments = parser.parse_args(words)
    for run in arguments.runs:
        read_run(run)
    made = make_leaderboard(arguments.runs, arguments.by, regrets=True)
    unread = [refusal for refusal in made.refused if refusal.unread]
    if unread and len(unread) == len(made.refused) and not made.boards:
        raise RecordError(f"No run can be ranked: {unread[0].reason}")
    folder = arguments.to or Path(os.path.commonpath([run.absolute().parent for run in arguments.runs]))
    RunDir(folder).make(folder)
    for name, text in (("leaderboard.html", to_html(made)), ("leaderboard.md", to_markdown(made))):
        write_atomic(folder / name, text)
    for board in made.boards:
        print(board.title)
        for row in board.lines:
            print(f"  {row.place:>13}  {100 * row.after:5.1f} %  {row.gain.points:+5.1f} points  {row.name}")
    for refusal in made.refused:
        print(f"not ranked   {refusal.path}: {refusal.reason}")
    print(f"leaderboard  {folder / 'leaderboard.html'} and leaderboard.md")
    return 0
