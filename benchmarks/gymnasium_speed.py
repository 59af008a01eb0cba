"""Steps per second of the simulated Skill-List environment on its flat face, single and vectorized, on one thread.

    python benchmarks/gymnasium_speed.py --seconds 10

Actions are drawn beforehand; observations, noise and resets are included. Beside the median stands the fastest
hundredth of runs of a few episodes, since other processes on the machine only slow it down.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

os.environ["OMP_NUM_THREADS"] = "1"

import gymnasium
import numpy as np

import dataenvgym  # noqa: F401  (registers the environments)


def single(name: str) -> tuple[Callable[[], None], int]:
    """Two episodes of one environment, as gymnasium.make gives it."""
    env = gymnasium.make(name)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (10, *(env.action_space.shape or ()))).astype(np.float32)
    env.reset(seed=0)

    def run() -> None:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return run, len(actions)


def vectorized(name: str, number: int) -> tuple[Callable[[], None], int]:
    """Six steps of many environments, of which one is the reset."""
    env = gymnasium.make_vec(name, num_envs=number, vectorization_mode="vector_entry_point")
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (6, *(env.action_space.shape or ()))).astype(np.float32)
    env.reset(seed=0)

    def run() -> None:
        for action in actions:
            env.step(action)

    return run, 5 * number


def rates(run: Callable[[], None], steps: int, seconds: float) -> tuple[float, float]:
    """Steps per second of the median and of the fastest hundredth of runs over so long."""
    run()
    took, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return steps / median(took), steps / sorted(took)[len(took) // 100]


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="DataEnvGym/SkillList-Math-Sim-v0")
    parser.add_argument("--numbers", type=int, nargs="+", default=[64, 1024, 4096])
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    cases = {"single": single(arguments.env)}
    cases |= {f"vector of {number}": vectorized(arguments.env, number) for number in arguments.numbers}
    for name, (run, steps) in cases.items():
        usual, best = rates(run, steps, arguments.seconds)
        print(f"{name:<15} {usual:>12,.0f} steps/s at the median, {best:>12,.0f} in the fastest hundredth")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
