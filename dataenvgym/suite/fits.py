"""Fits of a challenge's student on allocations of records: sampled, made, and kept one by one."""

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dataenvgym.suite.challenges import Challenge
from environments.simulation.bank import Fit
from tasks.types import Prediction, Split, TrainingRecord

if TYPE_CHECKING:
    from dataenvgym.cli.episode import EpisodeCLI

_SPLITS: tuple[Split, Split] = ("val", "test")
# The task seed that laws, oracles and settings are found on: other instances than those that any shipped figure is of.
TUNING_SEED = 2


@dataclass(frozen=True)
class Job:
    """A fit to be made; ``kind`` says how its allocation was chosen."""

    kind: str
    seed: int
    allocation: Mapping[str, int]


def built(challenge: Challenge, *words: str) -> "EpisodeCLI":
    """The parts of a challenge, with any policy; ``words`` are further options of ``dataenvgym episode``."""
    from dataenvgym.cli.configuration_files import read_words
    from dataenvgym.cli.episode import EpisodeCLI
    from environments.quiet import contained, quieten

    quieten()
    said = ["--config", str(challenge.path), "--teacher.init_args.policy", "teachers.policies.NoStatePolicy", *words]
    with contained():
        return EpisodeCLI(read_words(["episode", *said])[1:])


class World:
    """What the fits of a challenge are made in: its task with every skill asked alike, its student and its engine.

    So the same fits serve every challenge that differs in exam and budget alone.
    """

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge

    @cached_property
    def _episode(self) -> "EpisodeCLI":
        return built(self.challenge, "--task.init_args.variant.exam", "{}", "--task.init_args.seed", str(TUNING_SEED))

    @cached_property
    def skills(self) -> tuple[str, ...]:
        """The catalogue."""
        return tuple(self._episode.config_init["task"].skills())

    def records(self, job: Job) -> tuple[TrainingRecord, ...]:
        """The records of a job, made by the challenge's engine."""
        from teachers.plan import DataPlan, DataSpec

        specs = tuple(DataSpec(count, skill=skill) for skill, count in job.allocation.items() if count)
        return tuple(self._episode.teacher.engine.generate(DataPlan(1, job.seed, specs))) if specs else ()

    def fit(self, job: Job) -> Fit:
        """Trains a student on the records of a job, and evaluates it."""
        from environments.loop.student_loop import LightningStudentLoop
        from environments.run.directory import RunDir
        from environments.run.progress import EpisodeProgress
        from environments.run.recorder import RunRecorder
        from environments.skills.assignment import NoSkills

        episode, records = self._episode, self.records(job)
        task = episode.config_init["task"]
        with tempfile.TemporaryDirectory() as folder:
            recorder = RunRecorder(RunDir(folder), {}, task=task)
            quiet = EpisodeProgress(enabled=False)
            parts = (task, episode.model, episode.datamodule, episode.instantiate_trainer)
            loop = LightningStudentLoop(*parts, recorder, job.seed, quiet)
            evaluation = loop.run(1 if records else 0, records, "base", None, NoSkills())
        found: dict[Split, dict[str, list[Prediction]]] = {split: {} for split in _SPLITS}
        for split in _SPLITS:
            instances = {instance.instance_id: instance for instance in task.instances(split)}
            for prediction in getattr(evaluation, split):
                found[split].setdefault(task.skill_of(instances[prediction.instance_id]), []).append(prediction)
        scores = {
            split: {name: [one.score for one in part] for name, part in found[split].items()} for split in _SPLITS
        }
        likelihoods = {
            split: {name: round(sum(one.likelihood or 0.0 for one in part) / len(part), 5) for name, part in by.items()}
            for split, by in found.items()
        }
        return Fit(self.challenge.world, job.kind, job.seed, dict(job.allocation), scores, likelihoods)


def sampled_jobs(skills: Sequence[str], challenges: Sequence[Challenge], count: int, first_seed: int) -> list[Job]:
    """Allocations in the shapes and sizes that the challenges' budgets admit, with some repeated for the noise.

    A sixth is spread over the whole catalogue, a sixth repeats the even allocation; the others are spread over what one
    of the challenges asks, or a part of it. Sums go up to the largest budget, half of them at a whole number of fifths,
    where the steps of an episode end.
    """
    jobs = [Job("base", first_seed, {})]
    budget = max(challenge.max_records for challenge in challenges)
    for index in range(1, count):
        rng = random.Random(f"fit bank/{first_seed}/{index}")
        challenge = challenges[index // 6 % len(challenges)]
        asked = [skill for skill in skills if not challenge.exam or challenge.exam.get(skill)]
        kind = ("catalogue", "asked", "few", "asked", "few", "even")[index % 6]
        if kind == "even":  # replicates: the same allocation, other records and another fit
            jobs.append(Job("even", first_seed + index, _dealt(budget, dict.fromkeys(asked, 1.0))))
            continue
        total = rng.choice((1, 2, 3, 4, 5)) * budget // 5 if rng.random() < 0.5 else rng.randint(budget // 6, budget)
        among = list(skills) if kind == "catalogue" else asked
        if kind == "few":
            among = rng.sample(asked, rng.randint(1, max(1, len(asked) // 2)))
        shape = rng.choice((0.3, 0.6, 1.0, 3.0))
        weights = {skill: rng.gammavariate(shape, 1.0) + 1e-6 for skill in among}
        jobs.append(Job(kind, first_seed + index, _dealt(total, weights)))
    return jobs


def _dealt(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    from teachers.allocation import apportion

    counts = apportion(total, list(weights.values()))
    return {skill: count for skill, count in zip(weights, counts, strict=True) if count}
