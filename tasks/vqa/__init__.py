"""Questions about images: drawn scenes made offline, and the benchmarks GQA, NaturalBench and NLVR."""

from tasks.vqa.gqa import GQATask
from tasks.vqa.naturalbench import NaturalBenchTask
from tasks.vqa.nlvr import NLVRTask
from tasks.vqa.procedural import ProceduralVQATask

__all__ = ["GQATask", "NLVRTask", "NaturalBenchTask", "ProceduralVQATask"]
