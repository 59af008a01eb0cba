"""Questions about images: drawn scenes made offline."""

from tasks.vqa.procedural import ProceduralVQATask

__all__ = ["ProceduralVQATask"]
