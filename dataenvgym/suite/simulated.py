"""The suite's challenges with a simulated student in the real one's place: a second a run instead of a minute."""

import hashlib
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from dataenvgym.suite.challenges import Challenge
from dataenvgym.suite.fits import built
from dataenvgym.suite.results import Result
from dataenvgym.suite.runner import Entry
from environments.loop.protocol import Recorder
from environments.results import Evaluation, StepResult
from environments.simulation.law_files import FOLDER, law_names, read_law
from tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from dataenvgym.cli.episode import EpisodeCLI


def law_of(challenge: Challenge) -> str | None:
    """The shipped law of a challenge's student, task and engine; None if there is none or order matters."""
    found = [name for name in law_names() if read_law(name).facts["world"] == challenge.world]
    return found[0] if found and challenge.static else None


def simulate(entry: Entry, member: int = 0) -> Result:
    """One run, without a run directory.

    Args:
        entry: The run that is wanted.
        member: Which of the law's simulated students.

    Raises:
        ConfigurationError: No law ships for the challenge.
    """
    from environments.loop.episode import run_episode
    from environments.quiet import contained
    from environments.simulation.student import SimulatedLoop, SimulatedStudent
    from teachers.teacher import make_part

    law = law_of(entry.challenge)
    if law is None:
        raise ConfigurationError(f"No law of a simulated student ships for {entry.challenge.name}.")
    assert entry.teacher is None, "the law is of the challenge's engine: a file might name another one"
    with contained():
        episode = _built(entry.challenge, json.dumps(entry.policy), json.dumps(entry.environment_settings))
        task, make = episode.config_init["task"], episode.config_init["environment"]
        loop = SimulatedLoop(task, SimulatedStudent(law, member), entry.seed)
        kept = _Last()
        with make_part(make, task, loop, kept, chat=episode.calls) as environment:
            run_episode(environment, episode.teacher)
            steps = environment.results
    allocation = sum((Counter(step.allocation) for step in steps), Counter[str]())
    return Result(
        entry.challenge.name,
        entry.name,
        entry.seed,
        [one.score for one in kept.evaluation.test],
        steps[-1].test.overall.likelihood,
        [round(step.val.overall.value or 0.0, 6) for step in steps],
        dict(sorted(allocation.items())),
        0.0,
        entry.settings,
        entry.code,
        _fingerprint(law, member),
    )


@lru_cache(maxsize=8)
def _built(challenge: Challenge, policy: str, environment: str) -> "EpisodeCLI":
    """The parts of an episode: neither a policy (``check_policy``) nor a procedural engine keeps anything of a run."""
    words = [word for key, value in json.loads(environment).items() for word in (f"--{key}", json.dumps(value))]
    return built(challenge, "--teacher.init_args.policy", policy, *words)


def simulate_all(entries: Sequence[Entry], jobs: int = 2, member: int = 0) -> list[Result]:
    """Runs of a simulated student, in ``jobs`` processes, with progress on the terminal."""
    run = partial(simulate, member=member)

    def shown(done: Iterable[Result]) -> list[Result]:
        console = Console(stderr=True)
        return list(track(done, "simulated runs", len(entries), console=console, transient=True))

    if min(jobs, len(entries)) <= 1:
        return shown(map(run, entries))
    # Each process loads once what a run needs, some seconds; runs of one challenge share its instances.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return shown(pool.imap(run, entries, chunksize=max(1, len(entries) // (4 * jobs))))


class _Last(Recorder):
    """Keeps the evaluation of the last step."""

    evaluation: Evaluation

    def keep_step(self, result: StepResult, evaluation: Evaluation) -> None:
        """Keeps it."""
        self.evaluation = evaluation


def _fingerprint(law: str, member: int) -> str:
    path = FOLDER / f"{law}.npz"
    return f"simulated by {law} {member} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
