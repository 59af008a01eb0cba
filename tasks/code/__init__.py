"""Programming: small programs made offline, LiveCodeBench and HumanEval, all run in a sandbox."""

from tasks.code.humaneval import HumanEvalTask
from tasks.code.livecodebench import LiveCodeBenchTask
from tasks.code.procedural import ProceduralCodeTask

__all__ = ["HumanEvalTask", "LiveCodeBenchTask", "ProceduralCodeTask"]
