"""What the fork server runs once before its first program, so that no program pays for it.

Caches of types, of the parser and of the allocator fill when something is done for the first time; done in the server,
each forked process finds them full. Halves the time of a small program.
"""

import io
import sys
from typing import Any

from tasks.code.confined import values

_PROGRAM = """
import sys, math, re, heapq, bisect, itertools, functools, string, random, json, copy
from collections import Counter, defaultdict, deque, OrderedDict, namedtuple
from typing import Dict, List, Optional, Set, Tuple
from functools import lru_cache, reduce
from itertools import accumulate, combinations, permutations, product
from heapq import heappush, heappop

class Node:
    def __init__(self, value: int = 0, left: Optional["Node"] = None) -> None:
        self.value, self.left = value, left

    def __lt__(self, other):
        return self.value < other.value

class Solution:
    def solve(self, grid: List[List[int]], word: str) -> int:
        best, seen = -math.inf, set()
        for i, row in enumerate(grid):
            for j, cell in zip(range(len(row)), row):
                if (i, j) in seen or not cell:
                    continue
                seen.add((i, j))
                best = max(best, cell % 7 + cell // 2)
        return int(best) if best > 0 else -1

@lru_cache(maxsize=None)
def paths(n: int) -> int:
    return 1 if n < 2 else paths(n - 1) + paths(n - 2)

def main():
    numbers = list(map(int, input().split()))
    rest = [line.strip() for line in sys.stdin]
    counts, groups, queue, heap = Counter(numbers), defaultdict(list), deque(numbers), []
    for number in numbers:
        groups[number % 3].append(number)
        heappush(heap, (-number, Node(number)))
    while queue and queue[0] < 100:
        queue.popleft()
    try:
        {}["missing"]
    except KeyError as error:
        text = f"{error!r:>10} {1 / 3:.3f}"
    key = lambda pair: (-pair[1], pair[0])
    words = " ".join(sorted({str(n) for n in numbers}, key=len)).upper().replace("1", "x").split("x")
    table = [[0] * 4 for _ in range(3)]
    table[1][2] += sum(n * n for n in numbers[::-1]) & 0xFF | 1 << 3 ^ 2
    print(counts.most_common(1)[0][0], sorted(counts.items(), key=key)[:2], end="\\n")
    print(heappop(heap)[0], text, words, any(rest), *table, sep=" ", file=sys.stdout)
    print(reduce(lambda a, b: a + b, numbers), list(accumulate(numbers)), dict(groups), divmod(7, 2))
    print(Solution().solve([[1, 2], [3, 0]], "w"), paths(20), re.sub(r"[0-9]+", "n", text), bisect.bisect([1, 3], 2))
    print(sum(1 for _ in combinations(range(4), 2)), "%d %s" % (3, "x"), bin(5)[2:], 10 ** 20 % 97, "abc".find("c"))

if __name__ == "__main__":
    main()
"""
_REPEATS = 12  # the interpreter specialises code on its eighth run


def warm_up() -> None:
    """Compiles and runs a program that does what programs commonly do, with streams like theirs."""
    standard = sys.stdin, sys.stdout
    try:
        for _ in range(_REPEATS):
            sys.stdin = io.TextIOWrapper(io.BytesIO(b"3 1 2 3\nmore\n"), encoding="utf-8", errors="replace")
            sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
            namespace: dict[str, Any] = {"__name__": "__main__"}
            exec(compile(_PROGRAM, "<program>", "exec", dont_inherit=True), namespace)
            values.decode(values.loads(values.dumps(values.encode([1, 2.5, "x", (1, {2}), {"k": None}, 1 << 70]))))
    finally:
        sys.stdin, sys.stdout = standard
