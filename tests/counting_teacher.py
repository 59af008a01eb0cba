"""A policy that leaves a mark for every time it is asked: for the test that counts teacher calls across processes."""

import os
from pathlib import Path

from tasks.base import Task
from teachers.policies import MasteryPolicy


class CountingPolicy(MasteryPolicy):
    def __init__(self, task: Task, marks: str):
        super().__init__(task)
        self.marks = Path(marks)

    def act(self, observation):
        with self.marks.open("a") as file:
            file.write(f"step {observation.step} process {os.getpid()}\n")
        return super().act(observation)
