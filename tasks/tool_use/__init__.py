"""Tool use: plans over the 33 tools of m&m's, made offline or from the benchmark."""

from tasks.tool_use.benchmark import MnmsTask
from tasks.tool_use.metrics import aggregate_metrics
from tasks.tool_use.parsing import parse_plan
from tasks.tool_use.procedural import ProceduralToolUseTask

__all__ = ["MnmsTask", "ProceduralToolUseTask", "aggregate_metrics", "parse_plan"]
