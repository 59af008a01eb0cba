"""How nearly NLVR's pictures are redrawn from the coordinates in its rows.

DATAENVGYM_DATA_DIR=/path/to/data python benchmarks/nlvr_renderer.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tasks.errors import DataEnvGymError
from tasks.vqa import NLVRTask
from tasks.vqa.nlvr_scenes import agreement, draw_boxes


def main(words: list[str] | None = None) -> None:
    """Prints the agreement over all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", help="folder with dev.jsonl and its images; default: nlvr under DATAENVGYM_DATA_DIR")
    arguments = parser.parse_args(words)
    try:
        task = NLVRTask(arguments.path)
        instances = [*task.instances("val"), *task.instances("test")]
    except DataEnvGymError as error:
        sys.exit(str(error))
    print(f"{len(instances)} pictures, {instances[0].image.picture().size[0]} x {instances[0].image.picture().size[1]}")
    for tolerance in (0, 8, 64):
        rows = [
            agreement(draw_boxes(instance.metadata["scene"]), instance.image.picture(), tolerance)
            for instance in instances
        ]
        near, same = zip(*rows, strict=True)
        whole = sum(share == 1.0 for share in near)
        print(
            f"channels within {tolerance:>2} of 255: {sum(near) / len(near):8.3%} of pixels, at worst {min(near):8.3%} "
            f"of a picture; all pixels in {whole} pictures"
        )
    print(f"same nearest colour:      {sum(same) / len(same):8.3%} of pixels, at worst {min(same):8.3%} of a picture")


if __name__ == "__main__":
    main()
