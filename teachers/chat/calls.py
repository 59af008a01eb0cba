"""All questions of a teacher pass through here: journal, meter and cap, concurrency, retries, asking again."""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, Literal, get_args

from tasks.errors import ConfigurationError
from teachers.chat.concurrency import BackgroundLoop, Limiter
from teachers.chat.exchange import Books, Conversation, Round
from teachers.chat.journal import Call, Journal, calls_of_run, sums
from teachers.chat.meter import Meter, PriceTable, Rehearsal
from teachers.chat.types import Answer, Chat, EndpointError, JournalMissError, Question, Reply

JournalMode = Literal["record", "replay", "off"]

# Seconds between two looks at what is being waited for.
_LOOK = 1.0


class Calls:
    """The calls of a teacher to chat models: policy, engine and skill discovery share journal, cap and counters.

    The settings are those of Teacher; the cap includes calls in flight, and ``journal_path`` may be a ``calls.jsonl``.

    Raises:
        ConfigurationError: A setting cannot work, e.g. a cap on a model without a price.
        MissingFileError: ``journal_path`` does not exist.
    """

    def __init__(
        self,
        chat: Chat,
        max_usd: float | None = None,
        journal: JournalMode = "record",
        journal_path: str | None = None,
        prices: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        if max_usd is not None and not 0 <= max_usd < math.inf:
            raise ConfigurationError(f"teacher.init_args.max_usd is {max_usd}: give dollars, or null for no cap.")
        if journal not in get_args(JournalMode):
            raise ConfigurationError(f"teacher.init_args.journal is {journal!r}: choose record, replay or off.")
        if journal == "off" and journal_path is not None:
            raise ConfigurationError("teacher.init_args.journal_path is set and journal is off: nothing is replayed.")
        others = {} if journal_path is None else calls_of_run(Path(journal_path))
        self._shared = _Shared(journal, max_usd, PriceTable(prices), others)
        self._attach(chat)
        weakref.finalize(self._shared, self._shared.loop.close)

    def _attach(self, chat: Chat) -> None:
        self._chat = chat
        self._price = self._shared.prices.of(chat.model)
        self._limiter = Limiter(chat.concurrency, alone=True)
        if self._shared.max_usd is not None and self._price is None:
            raise ConfigurationError(
                f"teacher.init_args.max_usd is set and no price of {chat.model!r} is known: "
                f"give teacher.init_args.prices, e.g. {{{chat.model}: {{input: 0.5, output: 1.5}}}} per million tokens."
            )

    @contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        """Keeps calls in this file (a run's ``calls.jsonl``) during the context, and continues what it holds.

        If it ends because the endpoint failed, unusable replies are not used again: a resumed run asks again.
        """
        books = self._shared.books = self._shared.open(path)
        try:
            yield
        except EndpointError:
            books.forget_failures()
            raise
        finally:
            books.journal.close()

    @contextmanager
    def rehearsing(self, rehearsal: Rehearsal) -> Iterator[None]:
        """In this context, questions are counted and answered with their examples; nothing is sent or kept."""
        self._shared.rehearsal = rehearsal
        try:
            yield
        finally:
            self._shared.rehearsal = None

    @staticmethod
    def of(part: object, chat: Chat | Calls | None) -> Calls:
        """What a part asks through: the calls given to it, or its own to a chat model, of which nothing is on disk."""
        if chat is None:
            raise ConfigurationError(
                f"{type(part).__name__} asks a language model, and the teacher has none: "
                "set teacher.init_args.chat (see configs/teachers/*_llm.yaml), or make it with chat=."
            )
        return chat if isinstance(chat, Calls) else Calls(chat)

    def using(self, chat: Chat | None) -> Calls:
        """The same journal, meter and cap with another chat model; these calls themselves for None."""
        if chat is None or chat is self._chat:
            return self
        calls = Calls.__new__(Calls)
        calls._shared = self._shared
        calls._attach(chat)
        return calls

    @property
    def model(self) -> str:
        """Name of the chat model that is asked."""
        return self._chat.model

    @property
    def in_rehearsal(self) -> bool:
        """Whether questions are only counted now, so that no answer may be kept."""
        return self._shared.rehearsal is not None

    def ask(self, questions: Sequence[Question[Reply]]) -> list[Answer[Reply]]:
        """Asks all questions, as many at a time as the endpoint allows; the answers in their order.

        If it is cut short, what was paid for is kept, and asking again goes on from there.

        Raises:
            ChatError: The endpoint cannot be used at all (key, address, model name).
            ConfigurationError: The environment variable for the key is not set.
            JournalMissError: In ``replay``, a call is not in the journal.
            StorageError: The journal cannot be written.
        """
        shared = self._shared
        if shared.rehearsal is not None:
            return shared.rehearsal.answer(questions, self._chat.model, self._price)
        conversations = [Conversation(question, self._chat) for question in questions]
        left = [conversation for conversation in conversations if not self._replay(conversation)]
        shared.answered(len(questions) - len(left), len(questions))
        if left:
            self._converse(left, len(questions))
        shared.books.journal.seal(entry for conversation in conversations for entry in conversation.trail)
        shared.books.note(conversations)
        return [conversation.outcome for conversation in conversations]

    def _converse(self, conversations: Sequence[Conversation[Reply]], total: int) -> None:
        loop = self._shared.loop
        round_ = Round(self._chat, self._price, self._limiter, self._shared.books)
        asking = loop.start(round_.ask(conversations), self._chat.aclose)
        asking.add_done_callback(lambda _: round_.answered.put(0))
        done = total - len(conversations)
        try:
            while not asking.done() or not round_.answered.empty():
                try:
                    if round_.answered.get(timeout=_LOOK):
                        done += 1
                        self._shared.answered(done, total)
                except Empty:
                    if what := round_.waiting():
                        self._shared.waiting(what)
        except BaseException:
            loop.call(round_.cancel)
            wait([asking])  # it notes what was in flight
            raise
        asking.result()

    def _replay(self, conversation: Conversation[Reply]) -> bool:
        """Carries a conversation on from the journal; True if that led to its answer."""
        books, replaying = self._shared.books, self._shared.mode == "replay"
        while conversation.answer is None:
            asked = conversation.asked
            entry = books.journal.find(asked) or (books.journal.failure(asked.key) if replaying else None)
            if entry is None and replaying:
                raise JournalMissError(
                    f"The journal has no call for purpose {asked.purpose}, step {asked.step} with key "
                    f"{asked.key[:12]}: its prompt or settings differ from what was recorded; set "
                    "teacher.init_args.journal to record to make it."
                )
            if entry is None:
                return False
            books.replayed += 1
            conversation.take(entry)
        return True

    def cost(self) -> dict[str, Any]:
        """What this run's calls cost when they were made: ``usd`` (None if unknown), ``tokens`` and ``calls``."""
        return sums(self._shared.books.journal.sealed)

    @property
    def paid(self) -> dict[str, Any]:
        """What was paid in this process: ``usd`` and ``calls``."""
        return {"usd": self._shared.books.paid_usd, "calls": self._shared.books.paid_calls}

    @property
    def replayed(self) -> int:
        """Calls that were answered from a journal in this process."""
        return self._shared.books.replayed

    @property
    def counters(self) -> Counter[str]:
        """What went wrong in this process: ``retries/<reason>``, ``reasks``, ``failures/<failure>`` and ``lost``."""
        return Counter({name: count for name, count in self._shared.books.counters.items() if count})

    def failed(self, step: int) -> str:
        """What became of this step's calls, on one line, if some failed and it was not reported yet; else empty."""
        return self._shared.books.failed(step)

    def report_to(self, answered: Callable[[int, int], None], waiting: Callable[[str], None]) -> None:
        """Has progress reported, in the thread that asks.

        ``answered`` gets how many of the questions asked at once are answered, and of how many; ``waiting`` gets, about
        once a second, what an endpoint is being waited for.
        """
        self._shared.answered, self._shared.waiting = answered, waiting


@dataclass
class _Shared:
    mode: JournalMode
    max_usd: float | None
    prices: PriceTable
    others: Mapping[str, Call]
    loop: BackgroundLoop = field(default_factory=BackgroundLoop)
    answered: Callable[[int, int], None] = lambda done, total: None
    waiting: Callable[[str], None] = lambda what: None
    rehearsal: Rehearsal | None = None

    def __post_init__(self) -> None:
        self.books = self.open(None)

    def open(self, path: Path | None) -> Books:
        """The books of a run, with what earlier processes have spent on it."""
        journal = Journal(path, self.mode != "off", self.others)
        for entry in journal.paid:
            if entry.usd is None and entry.model is not None:  # made without a known price, and there may be one now
                price = self.prices.of(entry.model)
                entry.usd = None if price is None else price.usd(entry.usage)
            if entry.usd is None and self.max_usd is not None:
                raise ConfigurationError(
                    f"teacher.init_args.max_usd is set and the run has paid calls of {entry.model!r}, which has no "
                    "known price: give teacher.init_args.prices."
                )
        # Calls taken over from another run were not paid for by this one.
        spent = [entry.usd or 0.0 for entry in journal.paid if entry.key not in self.others]
        spent += [row["usd"] or 0.0 for row in journal.lost.values()]
        return Books(journal, Meter(self.max_usd, math.fsum(spent)))
