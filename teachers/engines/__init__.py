"""Engines: make the records of a plan."""

from teachers.engines.illustrators import Illustrator, TaskIllustrator
from teachers.engines.llm import LLMEngine
from teachers.engines.procedural import ProceduralEngine
from teachers.engines.seeded_llm import SeededLLMEngine
from teachers.engines.selection import SelectionEngine
from teachers.engines.text_to_image import DiffusersIllustrator, OpenAIImagesIllustrator
from teachers.engines.weak import WeakProceduralEngine

__all__ = [
    "DiffusersIllustrator",
    "Illustrator",
    "LLMEngine",
    "OpenAIImagesIllustrator",
    "ProceduralEngine",
    "SeededLLMEngine",
    "SelectionEngine",
    "TaskIllustrator",
    "WeakProceduralEngine",
]
