"""Engines: make the records of a plan."""

from teachers.engines.procedural import ProceduralEngine

__all__ = ["ProceduralEngine"]
