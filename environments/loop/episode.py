"""The closed loop: act, plan, generate, step."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from environments.base import Environment
from teachers.batch import Batch
from teachers.chat.types import EndpointError
from teachers.observation import PastStep
from teachers.teacher import Teacher

_LOG = logging.getLogger(__name__)


def run_episode(
    environment: Environment, teacher: Teacher, warn: Callable[[str], None] = _LOG.warning
) -> Sequence[PastStep]:
    """Teaches until the budget is spent; returns the history of all steps.

    In a distributed run every rank is here with the same observation; ``once`` has rank 0 alone ask the teacher.
    ``warn`` takes one line for each step in which calls to a chat model failed; if a teacher call brought no record for
    that reason, the episode ends with an EndpointError.

    Raises:
        EndpointError: A teacher call brought no record because its calls to a chat model failed.
    """
    once = environment.recorder.once

    def tell_failures(step: int) -> None:
        if teacher.calls is not None and (told := teacher.calls.failed(step)):
            warn(f"step {step}: {told}.")

    observation = environment.reset()
    tell_failures(0)
    while not observation.last:
        action = once(partial(teacher.policy.act, observation))
        plan = environment.plan(action)
        batch = Batch.of(once(partial(teacher.engine.generate, plan)))
        if batch.failed:
            raise EndpointError(
                f"Step {plan.step} got no records: {batch.failed}; see to the endpoint: the same command with --resume "
                "continues."
            )
        if plan.call + 1 >= environment.calls_per_step:
            tell_failures(plan.step)  # before the training, which may take long
        observation = environment.step(batch)
        if not observation.call:  # the budget ended the step before its last call
            tell_failures(plan.step)
    return environment.history
