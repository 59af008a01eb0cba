"""Skills discovered without a language model: clusters of the validation instances' texts."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import count

from environments.skills.assignment import Once
from environments.skills.nearest import SkillsBySimilarity
from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from tasks.similarity import clusters, plain

_WORD = re.compile(r"[^\W\d_][^\W_]+")
_WORDS_OF_A_NAME = 3  # enough to tell clusters apart in a table


class ClusteredSkills(SkillsBySimilarity):
    """Clusters of the validation instructions by k-means on TF-IDF vectors, numbers masked.

    Only validation instructions are looked at, no answers and no images. A cluster is named by the words that set it
    apart most. Any other instance, a training record seen as one included, gets the skill of the validation instances
    that are most like it.

    Args:
        task: The task.
        num_categories: How many skills; at most as many as there are different instructions, numbers aside.

    Raises:
        ConfigurationError: ``num_categories`` is not positive, or validation holds fewer instances.
    """

    def __init__(self, task: Task, num_categories: int) -> None:
        check_range("ClusteredSkills", num_categories=num_categories)
        if num_categories > (size := len(task.instances("val"))):
            raise ConfigurationError(
                f"ClusteredSkills: num_categories is {num_categories}, and {task.name} has {size} validation "
                "instances: give at most so many."
            )
        super().__init__(task)
        self._num_categories = num_categories

    def prepare(self, once: Once) -> None:
        """Finds the clusters.

        Raises:
            ConfigurationError: Fewer of the instructions differ, numbers aside, than clusters are wanted.
        """
        if self._found is None:
            self._found = once(self._discover)

    def skills(self) -> tuple[str, ...]:
        """The names of the clusters, in the order of their first instances."""
        return tuple(dict.fromkeys(self._prepared().values()))

    def _discover(self) -> dict[str, str]:
        instances = self._task.instances("val")
        texts = [plain(instance.instruction) for instance in instances]
        if (distinct := len(set(texts))) < self._num_categories:
            raise ConfigurationError(
                f"ClusteredSkills: num_categories is {self._num_categories}, and only {distinct} validation "
                f"instructions of {self._task.name} differ, numbers aside: give at most so many."
            )
        numbers = clusters(texts, self._num_categories)
        names = _names(texts, numbers)
        return {instance.instance_id: names[number] for instance, number in zip(instances, numbers, strict=True)}


def _names(texts: Sequence[str], numbers: Sequence[int]) -> dict[int, str]:
    """The words that are more frequent in a cluster than elsewhere; no two clusters get the same name."""
    inside: dict[int, Counter[str]] = {number: Counter() for number in numbers}
    for text, number in zip(texts, numbers, strict=True):
        inside[number].update(dict.fromkeys(_words(text), 1))  # in the order of reading, which names keep
    everywhere = sum(inside.values(), Counter[str]())
    sizes = Counter(numbers)
    names: dict[int, str] = {}
    for number, counts in inside.items():
        size, others = sizes[number], max(1, len(texts) - sizes[number])
        excess = {word: n / size - (everywhere[word] - n) / others for word, n in counts.items()}
        words = sorted((word for word in excess if excess[word] > 0), key=lambda word: -excess[word])
        names[number] = _unused(words, list(counts), set(names.values()))
    return names


def _words(text: str) -> list[str]:
    """The words of a text; of one without any the names of its signs."""
    signs = (unicodedata.name(sign, "").lower() for sign in text if not sign.isalnum() and not sign.isspace())
    return _WORD.findall(text) or [sign for sign in signs if sign]


def _unused(words: Sequence[str], reading: Sequence[str], taken: set[str]) -> str:
    """The first words as a name; if that is taken, with further words, and where those end with a number."""
    for end in range(_WORDS_OF_A_NAME, len(words) + 1):
        if (name := " ".join(sorted(words[:end], key=reading.index))) not in taken:
            return name
    base = " ".join(sorted(words, key=reading.index)) or "no words"
    names = (f"{base} {number}" if number > 1 else base for number in count(1))
    return next(name for name in names if name not in taken)
