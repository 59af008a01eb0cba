"""The leak audit: a run's task is built again from its configuration, and its files are compared with its instances."""

import json
from collections.abc import Mapping
from typing import Any

from dataenvgym.reading.run import SPLITS, Run
from environments.quality.filters import evaluation_instances, shorten
from environments.quality.leaks import NgramLeakFilter
from environments.run.provenance import fingerprint_instances
from tasks.base import Task, identity
from tasks.errors import ConfigurationError, DataEnvGymError, RecordError, causes


class Audit:
    """Audits runs; a task that several runs share is built once.

    Args:
        words: A record that shares so many words in a row with an evaluation instance is noted.
    """

    def __init__(self, words: int = 13) -> None:
        self._words = words
        self._evaluations: dict[str, _Evaluation] = {}

    def check(self, run: Run) -> list[str]:
        """Checks that a finished run is what it says, and that no accepted record is an evaluation instance.

        Returns:
            What is less clear: how many records share a long run of words with an instance.

        Raises:
            RecordError: A check failed; the message says which in one line, without the run's name.
        """
        key = json.dumps(run.config.get("task"), sort_keys=True, default=str)
        if key not in self._evaluations:
            try:
                self._evaluations[key] = _Evaluation(build_task(run.config), self._words)
            except DataEnvGymError as error:
                raise RecordError(f"the leak audit cannot build its task: {error}") from None
        evaluation = self._evaluations[key]

        fingerprints = run.provenance.get("data") or {}
        for split in SPLITS:
            if fingerprints.get(split) != evaluation.fingerprints[split]:
                raise RecordError(
                    f"its {split} instances are not those of its task today (fingerprint "
                    f"{str(fingerprints.get(split))[:8]}, task {evaluation.fingerprints[split][:8]})"
                )
        for line in run.steps:
            step = int(line["step"])
            for split in SPLITS:
                answered = [row["instance_id"] for row in run.answers(step) if row["split"] == split]
                if answered != evaluation.ids[split]:
                    raise RecordError(
                        f"the {split} predictions of step {step} are not of its task's instances, in order"
                    )
                said, found = line[split]["overall"]["value"], run.accuracy(step, split)
                if said is None or abs(said - found) > 1e-9:
                    raise RecordError(f"step {step} says {split} accuracy {said}, its predictions give {found:.6f}")
        for name, step in (("before", 0), ("after", run.last_step)):
            said = run.summary[name]["test"]["accuracy"]
            if said is None or abs(said - run.accuracy(step)) > 1e-9:
                raise RecordError(f"its summary says {name} {said}, its predictions give {run.accuracy(step):.6f}")

        try:
            records = run.training_records()
        except DataEnvGymError as error:
            raise RecordError(str(error)) from None
        leaks = [(step, record, same) for step, record in records if (same := evaluation.asked.get(identity(record)))]
        if leaks:
            step, record, same = leaks[0]
            raise RecordError(
                f"{len(leaks)} of its {len(records)} accepted records are evaluation instances; the first is in step "
                f"{step}: {shorten(record.instruction)!r} is {same}"
            )
        near = sum(evaluation.near.finding(record) is not None for _, record in records)
        said = f"{near} accepted records share {self._words} words in a row with an evaluation instance"
        return [said] if near else []


class _Evaluation:
    def __init__(self, task: Task, words: int) -> None:
        self.ids = {split: [instance.instance_id for instance in task.instances(split)] for split in SPLITS}
        self.fingerprints = {split: fingerprint_instances(task.instances(split)) for split in SPLITS}
        self.asked = {identity(instance): name for name, instance in evaluation_instances(task)}
        self.near = NgramLeakFilter(task, words)


def build_task(config: Mapping[str, Any]) -> Task:
    """The task of a composed configuration.

    Raises:
        ConfigurationError: The configuration names none, or it cannot be built.
        DataEnvGymError: Whatever the task itself objects to (no network, a missing folder).
    """
    from jsonargparse import ArgumentError, ArgumentParser

    if not config.get("task"):
        raise ConfigurationError("the configuration names no task")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Task, "task", required=True)
    try:
        task: Task = parser.instantiate_classes(parser.parse_object({"task": config["task"]})).task
    except ArgumentError as error:
        known = next((cause for cause in causes(error) if isinstance(cause, DataEnvGymError)), None)
        raise known or ConfigurationError(" ".join(str(error).split())[:300]) from None
    return task
