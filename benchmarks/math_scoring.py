"""How MATH's scoring judges the benchmark's own solutions: right ones, and those of other problems.

    DATAENVGYM_DATA_DIR=/path/to/data python benchmarks/math_scoring.py      # or --path FOLDER with test.jsonl

Of all test rows: the share whose own solution scores 1 (aim: at least 99.5 %), and the share of random pairs (a problem
and another's solution, the answers differing as text) that score 1 (aim: at most 0.5 %). A last list pairs each problem
with the one of its topic whose answer looks most alike; it has no aim, because what scores there are the same values in
two notations. Every pair that scores is printed. The time is that of 5,000 scorings (aim: 2 minutes).
"""

import random
import sys
import time
from collections.abc import Sequence

from common import make_parser

from tasks.math import MATHTask
from tasks.types import TaskInstance

AIM_OWN, AIM_OTHER, AIM_SECONDS = 0.995, 0.005, 120.0


def solution(instance: TaskInstance) -> str:
    """The benchmark's own solution of a problem."""
    return str(instance.metadata["solution"])


def random_pairs(instances: Sequence[TaskInstance], seed: int) -> list[tuple[TaskInstance, TaskInstance]]:
    """Every problem with the solution of another, each solution used once."""
    others = list(instances)
    random.Random(seed).shuffle(others)
    return list(zip(instances, others, strict=True))


def similar_pairs(instances: Sequence[TaskInstance]) -> list[tuple[TaskInstance, TaskInstance]]:
    """Every problem with its neighbour when a topic's problems are sorted by the characters of their answers."""
    order = sorted(instances, key=lambda one: (one.skill or "", "".join(sorted(one.answer)), one.answer))
    return list(zip(order, order[1:] + order[:1], strict=True))


def judge(task: MATHTask, name: str, pairs: Sequence[tuple[TaskInstance, TaskInstance]]) -> float:
    """Prints the share of pairs that score 1, and each of them; returns the share."""
    pairs = [(one, other) for one, other in pairs if one.answer != other.answer]
    start = time.perf_counter()
    right = [(one, other) for one, other in pairs if task.score(one, solution(other)) == 1.0]
    seconds, share = time.perf_counter() - start, len(right) / len(pairs)
    print(f"{name:28s} {len(right):5d} of {len(pairs)} = {100 * share:6.3f} %   {seconds:6.1f} s")
    for one, other in right:
        print(f"    {one.instance_id}: {one.answer!r} <- {other.instance_id}: {other.answer!r}")
    return share


def main() -> int:
    """Prints all of it; returns 1 if an aim is missed."""
    parser = make_parser(__doc__)
    parser.add_argument("--path", help="folder with test.jsonl; default: $DATAENVGYM_DATA_DIR/math")
    parser.add_argument("--seeds", type=int, default=3, help="number of random pairings")
    options = parser.parse_args()
    # All test rows: validation from the same file, and not taken out of it.
    task = MATHTask(path=options.path, val_from="test", overlap=True)
    instances = task.instances("test")

    start = time.perf_counter()
    wrong = [one for one in instances if task.score(one, solution(one)) != 1.0]
    seconds, own = time.perf_counter() - start, 1 - len(wrong) / len(instances)
    found = len(instances) - len(wrong)
    print(f"{'own solution':28s} {found:5d} of {len(instances)} = {100 * own:6.3f} %   {seconds:6.1f} s")
    for one in wrong:
        print(f"    {one.instance_id}: {one.answer!r} not found in the solution")
    bare = [one for one in instances if task.score(one, one.answer) != 1.0]
    echoes = [one for one in instances if task.score(one, one.instruction) == 1.0]
    print(f"answer alone does not score: {len(bare)} {[one.answer for one in bare]}")
    print(f"question repeated scores:    {len(echoes)} {[one.instruction for one in echoes]}")

    start = time.perf_counter()
    shares = [judge(task, f"random pairs, seed {seed}", random_pairs(instances, seed)) for seed in range(options.seeds)]
    slowest = (time.perf_counter() - start) / max(1, options.seeds)
    shares.append(judge(task, "most similar answers", similar_pairs(instances)))
    print(dict(task.counters))
    met = own >= AIM_OWN and max(shares[:-1]) <= AIM_OTHER and slowest <= AIM_SECONDS and not bare and not echoes
    print("aims met" if met else "AIMS MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
