"""Other shapes of actions for the flat faces.

Observations are within [-1, 1] already; for means and variances that follow the data, use
``gymnasium.wrappers.NormalizeObservation``.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from dataenvgym.envs.faces import SHARPNESS
from tasks.errors import ConfigurationError


class SimplexAction(gymnasium.ActionWrapper[Any, Any, Any]):
    """Actions are the shares of the step's records themselves, of shape (skills,), scaled to sum to 1.

    Shares below 1/22,000 of the largest are dealt as that. For the flat face of the Skill-List environment.

    Raises:
        ConfigurationError: The environment's actions are not one number for each skill.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.action_space
        size = 0 if space.shape is None or len(space.shape) != 1 else space.shape[0]
        if not isinstance(space, gymnasium.spaces.Box) or env.observation_space.shape != (5 * size + 2,):
            raise ConfigurationError("SimplexAction is for the flat face of the Skill-List environment.")
        self.action_space = gymnasium.spaces.Box(0.0, 1.0, (size,), np.float32)

    def action(self, action: Any) -> NDArray[np.float32]:
        """Shares as logits."""
        shares = np.clip(np.asarray(action, dtype=np.float64), 0, None)
        largest = float(shares.max())
        relative = shares / largest if largest > 0 else np.ones_like(shares)
        return np.clip(1 + np.log(np.maximum(relative, 1e-9)) / SHARPNESS, -1, 1).astype(np.float32)


class SkillByKindAction(gymnasium.ActionWrapper[Any, Any, Any]):
    """Discrete actions: one skill gets nearly all of the step's records.

    With S skills, action s is skill s; in the Skill-Tree environment that is *exploit*, and S + s is *explore*. For the
    flat faces of both.

    Raises:
        ConfigurationError: It is another face.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        observed, acted = env.observation_space.shape, env.action_space.shape
        numbers = acted[0] if acted is not None and len(acted) == 1 else 0
        if observed == (5 * numbers + 2,):
            self._skills, self._kinds = numbers, 1
        elif observed == (7 * numbers // 2 + 2,) and numbers % 2 == 0:
            self._skills, self._kinds = numbers // 2, 2
        else:
            raise ConfigurationError("SkillByKindAction is for the flat faces of Skill-List and Skill-Tree.")
        self.action_space = gymnasium.spaces.Discrete(self._kinds * self._skills)

    def action(self, action: Any) -> NDArray[np.float32]:
        """One skill at 1, all others at -1."""
        kind, skill = divmod(int(action), self._skills)
        made = np.full(self._kinds * self._skills, -1.0, dtype=np.float32)
        made[skill] = 1.0
        if self._kinds == 2:
            made[self._skills + skill] = 1.0 if kind else -1.0
        return made
