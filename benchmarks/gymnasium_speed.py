"""Steps per second of the simulated Skill-List environment on its flat face, single and vectorized, on one thread.

    python benchmarks/gymnasium_speed.py --seconds 5 --repeats 3

Actions are drawn beforehand; observations, noise and resets are included. The best of the repeats is shown beside the
median: other processes on the machine only slow it down.
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
    """A hundred steps of one environment, as gymnasium.make gives it."""
    env = gymnasium.make(name)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (100, *env.action_space.shape)).astype(np.float32)
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
    actions = rng.uniform(-1, 1, (6, *env.action_space.shape)).astype(np.float32)
    env.reset(seed=0)

    def run() -> None:
        for action in actions:
            env.step(action)

    return run, 5 * number


def rate(run: Callable[[], None], steps: int, seconds: float) -> float:
    """Steps per second over so long."""
    run()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        run()
        done += steps
    return done / (time.perf_counter() - began)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="DataEnvGym/SkillList-Math-Sim-v0")
    parser.add_argument("--numbers", type=int, nargs="+", default=[64, 1024, 4096])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    cases = {"single": single(arguments.env)}
    cases |= {f"vector of {number}": vectorized(arguments.env, number) for number in arguments.numbers}
    for name, (run, steps) in cases.items():
        rates = [rate(run, steps, arguments.seconds) for _ in range(arguments.repeats)]
        print(f"{name:<15} {max(rates):>12,.0f} steps/s at best, {median(rates):>12,.0f} at the median")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
