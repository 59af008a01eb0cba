"""Trains teachers.policies.LearnedPolicy on simulated students, by back-propagation through the law of a student.

    python scripts/train_policy.py --bank dataenvgym/suite/banks/math.jsonl.gz --out weights.npz
    dataenvgym suite teachers.policies.LearnedPolicy --settings '{weights: weights.npz}' --simulated

How accurate a student is after any records is a formula of few parameters (environments.simulation), of which the
derivative is known: so the final accuracy of an episode is one differentiable function of the network's weights, and
they are climbed by gradient, some thousand episodes a second. The laws are fitted to one half of the bank's allocations
(``--half``), in each of its worlds; students are drawn around them at random, with exams, budgets and numbers of steps
of their own, so that the policy has to read the student instead of remembering one. scripts/compare_policies.py judges
it on students of the other half.
"""

import argparse
import hashlib
import json
import math
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from environments.simulation import StaticLaw, read_bank
from environments.simulation.randomized import DrawnGames, draw_games, laws_of, rates_of
from tasks.errors import DataEnvGymError, check_range
from tasks.records import write_atomic
from teachers.policies.learned import features, forward, shapes, width_of

STEPS = (3, 4, 5, 5, 6, 8)
LEAST_RECORDS, MOST_RECORDS = 20, 120  # of a step


def played(weights: dict[str, Any], games: DrawnGames, records: float, steps: int, rng: torch.Generator) -> Any:
    """The final expected accuracy on the exam of each game, differentiable in the weights."""

    def tensor(value: Any) -> Any:
        return torch.as_tensor(np.asarray(value, dtype=np.float32))

    rates, sizes, exam = rates_of(games, torch, tensor), tensor(games.sizes), tensor(games.exam)
    asked, run_sd = sizes.clamp(max=1), tensor(games.run_sd)
    counts = last = torch.zeros_like(sizes)
    hidden = torch.zeros(*sizes.shape, width_of(weights))
    before = None
    for step in range(steps):
        expected = games.expected(rates, counts, torch)
        variance = games.variance(expected, sizes, run_sd, step > 0, torch)
        drawn = torch.randn(sizes.shape, generator=rng)
        seen = (expected + (variance + 1e-8).sqrt() * drawn).clamp(0, 1) * asked
        left = torch.full((len(sizes), 1), records * (steps - step))
        calls = torch.full((len(sizes), 1), float(steps - step))
        shown = features(seen, sizes, counts, last, left, calls, before, torch)
        scores, hidden = forward(weights, shown, hidden, torch)
        before, last = seen, records * scores.softmax(-1)
        counts = counts + last
    return (games.expected(rates, counts, torch) * exam).sum(-1)


def fresh_weights(width: int, seed: int) -> dict[str, Any]:
    """Weights before training."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in shapes(width).items():
        scale = 1 / math.sqrt(shape[0]) if name.endswith("weight") else 0.0
        made[name] = (scale * torch.randn(shape, generator=generator)).requires_grad_(True)
    return made


def train(laws: list[StaticLaw], arguments: argparse.Namespace) -> tuple[dict[str, Any], list[float]]:
    """The trained weights, and the mean accuracy of every hundredth of the training."""
    rng, noise = np.random.default_rng(arguments.seed), torch.Generator().manual_seed(arguments.seed)
    weights = fresh_weights(arguments.width, arguments.seed)
    optimizer = torch.optim.Adam(weights.values(), lr=arguments.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.lr, total_steps=arguments.iterations, pct_start=0.1, anneal_strategy="cos"
    )
    curve = []
    console = Console(stderr=True)
    for _ in track(range(arguments.iterations), "training", console=console, transient=True):
        law = laws[int(rng.integers(len(laws)))]
        most = len(law.skills)
        size = int(rng.choice([most, most, max(2, most // 2), int(rng.integers(min(4, most), most + 1))]))
        games = draw_games([law], arguments.games, rng, size)
        records = float(np.exp(rng.uniform(np.log(LEAST_RECORDS), np.log(MOST_RECORDS))))
        final = played(weights, games, records, int(rng.choice(STEPS)), noise)
        optimizer.zero_grad()
        (-final.mean()).backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimizer.step()
        schedule.step()
        curve.append(float(final.detach().mean()))
    each = max(1, len(curve) // 100)
    return weights, [round(float(np.mean(curve[at : at + each])), 4) for at in range(0, len(curve), each)]


def main() -> int:
    """Trains and writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, required=True, help="a bank of scripts/fit_bank.py")
    parser.add_argument("--out", type=Path, required=True, help="the weights, a .npz file")
    parser.add_argument("--half", type=int, choices=(0, 1), default=0, help="which half of the allocations")
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--games", type=int, default=256, help="episodes of an iteration")
    parser.add_argument("--width", type=int, default=32, help="numbers of memory for each skill")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    began = time.monotonic()
    try:
        sizes = {"iterations": arguments.iterations, "games": arguments.games, "width": arguments.width}
        check_range("train_policy", **sizes)
        laws = laws_of(read_bank(arguments.bank), arguments.half)
    except DataEnvGymError as error:
        print(f"train_policy: error: {error}", file=sys.stderr)
        return 2
    weights, curve = train(laws, arguments)
    facts = {
        "command": "python scripts/train_policy.py " + shlex.join(sys.argv[1:]),
        "bank": hashlib.sha256(arguments.bank.read_bytes()).hexdigest()[:16],
        "half": arguments.half,
        "seconds": round(time.monotonic() - began),
        "accuracy": curve,
    }
    write_weights(arguments.out, weights, facts)
    number = sum(value.numel() for value in weights.values())
    print(f"{arguments.out}: {number} weights, {arguments.out.stat().st_size} bytes, {facts['seconds']} s")
    print("mean final accuracy during training: " + " ".join(f"{value:.3f}" for value in curve[::10]))
    return 0


def write_weights(path: Path, weights: dict[str, Any], facts: dict[str, Any]) -> None:
    """Writes weights for LearnedPolicy, with where they are from."""
    import io

    arrays: dict[str, Any] = {name: value.detach().numpy().astype(np.float32) for name, value in weights.items()}
    held = io.BytesIO()
    np.savez_compressed(held, facts=np.array(json.dumps(facts, sort_keys=True)), **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, held.getvalue())


if __name__ == "__main__":
    raise SystemExit(main())
