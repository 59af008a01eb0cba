"""Engines: make the records of a plan."""

from teachers.engines.llm import LLMEngine
from teachers.engines.procedural import ProceduralEngine
from teachers.engines.seeded_llm import SeededLLMEngine
from teachers.engines.selection import SelectionEngine

__all__ = ["LLMEngine", "ProceduralEngine", "SeededLLMEngine", "SelectionEngine"]
