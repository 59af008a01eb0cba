"""The policy that stops after its first step: the floor that further data, and not further training, has to beat."""

from __future__ import annotations

from collections.abc import Callable

from tasks.base import Task
from tasks.errors import check_range
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import Observation
from teachers.plan import Action
from teachers.policies.no_state import NoStatePolicy
from teachers.teacher import Policy, make_part


class FirstStepPolicy(Policy):
    """Orders what another policy orders in the first step, and nothing after.

    Under the same seed and budget, step 1 gets the very records that the other policy's own run gets there (from an
    engine that repeats itself: a procedural one, or a chat model's replayed journal). With ``trainer.max_epochs`` times
    the number of steps, its student is then trained on as many records, repeats counted, as the other policy's
    last one: the compute is the same, the data is step 1's. Later steps accept nothing and train nothing.

    Args:
        task: The task to teach.
        policy: Makes the policy that acts in the first step, for the task.
        steps: After how many steps to stop.
        chat: What the policy asks if it asks a chat model and has none of its own; None takes the teacher's calls.

    Raises:
        ConfigurationError: ``steps`` is not positive.
    """

    def __init__(
        self,
        task: Task,
        policy: Callable[[Task], Policy] = NoStatePolicy,
        steps: int = 1,
        chat: Chat | Calls | None = None,
    ) -> None:
        check_range(type(self).__name__, steps=steps)
        self.policy = make_part(policy, task, chat=chat)
        self.steps = steps

    def act(self, observation: Observation) -> Action:
        """The inner policy's action, or none."""
        return self.policy.act(observation) if observation.step < self.steps else []
