"""Skills that a chat model discovered, as an environment uses them: from a frozen file, or found at the run's start."""

from functools import partial
from pathlib import Path
from typing import Literal

from environments.skills.assignment import Once
from environments.skills.discovery import check_number, choose_categories, discover_skills
from environments.skills.frozen import Fingerprint, FrozenSkills, read_skills, write_skills
from environments.skills.nearest import Key, SkillsBySimilarity, key_of
from tasks.base import Task
from tasks.errors import ConfigurationError
from teachers.chat.calls import Calls
from teachers.chat.types import Chat


class DiscoveredSkills(SkillsBySimilarity):
    """Skills found by a chat model in the validation instances.

    Only validation instances are shown to it. A test instance gets the skill of the validation instances that are
    most like it, or, with ``unknown: llm``, the one that the chat model chooses.

    Args:
        task: The task.
        path: A file of frozen skills (``dataenvgym discover-skills`` writes one). If it exists, it is read and no
            chat model is needed; if not, the skills are discovered at the run's start and frozen there. ``{task}`` in
            it stands for the task's name and the hash of its validation questions, so that one setting serves them
            all. None discovers at the run's start; the run's journal makes that free for a resume.
        num_categories: How many skills; None leaves it to the chat model (or to the file).
        chat: The chat model that discovers, or a teacher's calls; None takes those of the run's teacher.
        unknown: How instances that are not in the validation split get a skill. ``nearest``: by similarity, without a
            prompt. ``llm``: the chat model chooses for every test instance, once, at the run's start; this shows it
            the test questions (no answers). Training records seen as instances always go by similarity.

    Raises:
        ConfigurationError: ``num_categories`` is out of range, or there is no file and no chat model.
    """

    def __init__(
        self,
        task: Task,
        path: str | None = None,
        num_categories: int | None = None,
        chat: Chat | Calls | None = None,
        unknown: Literal["nearest", "llm"] = "nearest",
    ) -> None:
        check_number(num_categories)
        super().__init__(task)
        self._path = None if path is None else _path_for(path, task)
        self._num_categories = num_categories
        self._unknown = unknown
        self._calls = self._asked_through(chat) if unknown == "llm" or not self._is_frozen else None
        self._names: tuple[str, ...] = ()

    def prepare(self, once: Once) -> None:
        """Reads the file, or discovers the skills and freezes them; does so once.

        Raises:
            ConfigurationError: The file belongs to other instances, or holds another number of categories.
            RecordError: The file is damaged.
            ChatError: The chat model gave no usable replies.
            SpendingCapError: The dollars did not cover a call.
        """
        if self._found is not None:
            return
        found = once(self._find)
        if self._unknown == "llm":
            self._others = once(partial(self._choose, found))
        self._names, self._found = tuple(category.name for category in found.categories), found.assignment

    def skills(self) -> tuple[str, ...]:
        """The discovered skills, in the order of the file."""
        self._prepared()  # or an error
        return self._names

    @property
    def _is_frozen(self) -> bool:
        return self._path is not None and self._path.exists()

    def _asked_through(self, chat: Chat | Calls | None) -> Calls:
        try:
            return Calls.of(self, chat)
        except ConfigurationError as error:
            if self._path is None or self._is_frozen:
                raise
            raise ConfigurationError(f"{self._path} does not exist: check the path. ({error})") from None

    def _find(self) -> FrozenSkills:
        if self._path is not None and self._is_frozen:
            found = read_skills(self._path, self._task)
            if self._num_categories not in (None, len(found.categories)):
                raise ConfigurationError(
                    f"num_categories is {self._num_categories}, and {self._path} holds {len(found.categories)} "
                    "categories: leave num_categories out, or name another path."
                )
            return found
        if self._calls is None:
            raise ConfigurationError(f"{self._path} was there when the run began and is gone: put it back.")
        found = discover_skills(self._task, self._calls, self._num_categories)
        if self._path is not None and not self._calls.in_rehearsal:
            write_skills(self._path, found)
        return found

    def _choose(self, found: FrozenSkills) -> dict[Key, str]:
        assert self._calls is not None, "the constructor takes calls for unknown='llm'"
        categories = {category.name: category.labels for category in found.categories}
        instances = self._task.instances("test")
        names = choose_categories(self._task, self._calls, instances, categories)
        return {key_of(instance): name for instance, name in zip(instances, names, strict=True) if name is not None}


def _path_for(path: str, task: Task) -> Path:
    if "{task}" not in path:
        return Path(path)
    return Path(path.replace("{task}", f"{task.name}-{Fingerprint.of(task).sha256[:8]}"))
