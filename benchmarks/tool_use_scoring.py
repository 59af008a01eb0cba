"""Measures how long it takes to read and score as many plans as the test set of m&m's has.

    python benchmarks/tool_use_scoring.py [--plans 882]

The plans are those of the procedural task in the benchmark's notation, as a student may reply with them: some right,
some wrong, with code fences, prose, nested calls or JSON. Nothing is remembered from one repeat to the next.
"""

import random
import time

from common import make_parser

from tasks.tool_use import ProceduralToolUseTask, aggregate_metrics, parse_plan
from tasks.tool_use.parsing import read_plan
from tasks.tool_use.plans import render


def reply(answer: str, wrong: str, number: int) -> str:
    """A gold plan as one of many students might write it."""
    kind = number % 8
    if kind == 0:
        return f"Sure, here is the plan:\n\n```python\n{answer}\n```\n\nIt uses as few tools as possible."
    if kind == 1:
        return wrong
    if kind == 2:
        return render(parse_plan(answer), "json")
    if kind == 3:
        return "First things first (as always).\n" + "\n".join(
            f"{i + 1}. {s}" for i, s in enumerate(answer.split("\n"))
        )
    if kind == 4:
        return "def solve():\n" + "".join(f"    {line}\n" for line in answer.split("\n")) + "    return output0"
    if kind == 5:
        return answer[: len(answer) // 2]
    return answer if kind == 6 else answer.replace("(", "(\n    ").replace(")", "\n)")


def main() -> None:
    """Prints seconds for reading and scoring, and for all metrics over the whole set."""
    parser = make_parser(__doc__)
    parser.add_argument("--plans", type=int, default=882)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    task = ProceduralToolUseTask(notation="code", test_size=options.plans)
    instances = list(task.instances("test"))
    random.Random(0).shuffle(instances)
    replies = [reply(i.answer, instances[n - 1].answer, n) for n, i in enumerate(instances)]
    for _ in range(options.repeats):
        read_plan.cache_clear()
        start = time.perf_counter()
        scores = [task.score(instance, text) for instance, text in zip(instances, replies, strict=True)]
        scored = time.perf_counter()
        pairs = [(parse_plan(i.answer), parse_plan(text)) for i, text in zip(instances, replies, strict=True)]
        found = aggregate_metrics(pairs)
        ended = time.perf_counter()
        print(
            f"{len(replies)} replies: read and scored in {scored - start:.2f} s, all metrics {ended - scored:.2f} s; "
            f"right {sum(scores) / len(scores):.3f}, plan_tool {found['plan_tool']:.3f}, tool F1 {found['tool_f1']:.3f}"
        )


if __name__ == "__main__":
    main()
