"""``dataenvgym export RUN --to DIR|hub:<user>/<name>``: the accepted records of a run as a Hugging Face dataset."""

from collections.abc import Sequence
from pathlib import Path

from dataenvgym.cli.parser import CommandParser
from dataenvgym.reporting.export import export_run


def export(words: Sequence[str]) -> int:
    """Writes or pushes the dataset and says where it is."""
    parser = CommandParser(
        prog="dataenvgym export",
        description="The accepted records of a run as a Hugging Face dataset (Parquet and a card).",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run directory")
    parser.add_argument("--to", required=True, metavar="DIR|hub:USER/NAME", help="a new folder, or a new repository")
    parser.add_argument(
        "--license",
        help="the dataset's licence, as the hub names licences (default: mit if a procedural task made all records "
        "without a language model, else other)",
    )
    parser.add_argument("--private", action="store_true", help="make the repository on the hub private")
    arguments = parser.parse_args(words)
    print(f"dataset      {export_run(arguments.run, arguments.to, arguments.license, arguments.private)}")
    return 0
