"""How nearly NLVR's pictures are redrawn from the coordinates in its rows.

DATAENVGYM_DATA_DIR=/path/to/data python benchmarks/nlvr_renderer.py
"""

import sys

from common import make_parser

from tasks.errors import DataEnvGymError
from tasks.vqa import NLVRTask
from tasks.vqa.nlvr_scenes import agreement, draw_boxes


def main(words: list[str] | None = None) -> None:
    """Prints the agreement over all pictures."""
    parser = make_parser(__doc__)
    parser.add_argument("--path", help="folder with dev.jsonl and its images; default: nlvr under DATAENVGYM_DATA_DIR")
    arguments = parser.parse_args(words)
    try:
        task = NLVRTask(arguments.path)
        instances = [*task.instances("val"), *task.instances("test")]
    except DataEnvGymError as error:
        sys.exit(str(error))
    pictures = [(instance.metadata["scene"], instance.image) for instance in instances if instance.image is not None]
    print(f"{len(pictures)} pictures, {' x '.join(map(str, pictures[0][1].size))}")
    for tolerance in (0, 8, 64):
        rows = [agreement(draw_boxes(scene), image.picture(), tolerance) for scene, image in pictures]
        near, same = zip(*rows, strict=True)
        whole = sum(share == 1.0 for share in near)
        print(
            f"channels within {tolerance:>2} of 255: {sum(near) / len(near):8.3%} of pixels, at worst {min(near):8.3%} "
            f"of a picture; all pixels in {whole} pictures"
        )
    print(f"same nearest colour:      {sum(same) / len(same):8.3%} of pixels, at worst {min(same):8.3%} of a picture")


if __name__ == "__main__":
    main()
