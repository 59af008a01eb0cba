"""Trains a policy with Stable-Baselines3's PPO through the Gymnasium face, and says what it learnt.

    pip install "dataenvgym[rl]"
    python scripts/train_ppo.py --transitions 400000 --out runs/ppo.zip

No glue: the environment comes from ``gymnasium.make``, in a vector of 64, with its exams and students drawn anew in
every episode. Judged on fresh episodes by what the law expects on the exam, against dealing evenly over what is asked.
scripts/train_policy.py, which uses the derivative of the law, learns more in less time; this is what any other library
of reinforcement learning can do with the same environments.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

import dataenvgym  # noqa: F401  (registers the environments)


def judged(name: str, act: Any, episodes: int, seed: int) -> NDArray[np.float64]:
    """The expected accuracy on the exam at the end of each of some episodes, the same ones for every policy."""
    env = gymnasium.make(name)
    found = []
    for episode in range(episodes):
        observation, info = env.reset(seed=seed + episode)
        over = False
        while not over:
            observation, _, over, _, info = env.step(act(observation))
        found.append(info["expected_accuracy"])
    return np.array(found)


def even(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """All skills that are asked alike; nothing for the others."""
    size = (len(observation) - 2) // 5
    return np.where(observation[size : 2 * size] > 0, 1.0, -1.0).astype(np.float32)


def main() -> int:
    """Trains, judges and writes the policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="DataEnvGym/SkillList-Math-Sim-v0")
    parser.add_argument("--transitions", type=int, default=400_000)
    parser.add_argument("--episodes", type=int, default=400, help="to judge it by")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/ppo.zip"))
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    began = time.monotonic()
    vector = make_vec_env(arguments.env, n_envs=64, seed=arguments.seed)
    network = {"net_arch": [128, 128]}
    model = PPO(
        "MlpPolicy", vector, n_steps=20, batch_size=320, gamma=1.0, gae_lambda=0.95, learning_rate=5e-4,
        n_epochs=8, ent_coef=0.0, policy_kwargs=network, seed=arguments.seed, device="cpu",
    )  # fmt: skip
    model.learn(arguments.transitions, progress_bar=False)
    model.save(arguments.out)
    seconds = time.monotonic() - began
    learnt = judged(arguments.env, lambda seen: model.predict(seen, deterministic=True)[0], arguments.episodes, 10**6)
    plain = judged(arguments.env, even, arguments.episodes, 10**6)
    nothing = judged(arguments.env, lambda seen: np.zeros((len(seen) - 2) // 5, np.float32), arguments.episodes, 10**6)
    ahead = learnt - plain
    error = ahead.std(ddof=1) / len(ahead) ** 0.5
    print(f"{arguments.transitions} transitions in {seconds:.0f} s; {arguments.out}")
    print(
        f"exam, expected: PPO {100 * learnt.mean():.1f} %, even over what is asked {100 * plain.mean():.1f} %, ", end=""
    )
    print(f"even over the catalogue {100 * nothing.mean():.1f} %")
    print(f"PPO is better than even over what is asked by {100 * ahead.mean():+.2f} ± {196 * error:.2f} points")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
