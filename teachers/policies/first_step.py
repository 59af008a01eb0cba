"""The policy that stops after its first step: the baseline that further data must beat, not further training."""

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

    Under the same seed and budget, step 1 gets the same records as the other policy's own run (from an engine that
    repeats itself: a procedural one, or a chat model's replayed journal). With ``trainer.max_epochs`` times the number
    of steps, its student then trains on as many records, repeats counted, as the other policy's last one: the same
    compute on the data of step 1. Later steps accept nothing and train nothing.

    Args:
        task: The task to teach.
        policy: Makes the policy that acts in the first step, for the task.
        steps: After how many steps to stop.
        chat: What the policy asks if it has no chat model of its own; None takes the teacher's calls.
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
