"""Questions until they are answered: requests, attempts, retries, asking again, dollars reserved, and what is noted."""

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any, Generic

from tasks.errors import DataEnvGymError
from teachers.chat.concurrency import Limiter, backoff
from teachers.chat.journal import Call, Journal
from teachers.chat.meter import Meter, Price, most_tokens
from teachers.chat.schema import ReplyError, answer_part, clean, fits, instructions, parse_reply, strict_schema
from teachers.chat.types import (
    REFUSED,
    Answer,
    AttemptError,
    Chat,
    ChatRequest,
    Message,
    Question,
    Reply,
    failed_calls,
)

# When an endpoint turns out to be unusable, calls in flight get so many seconds: what they bring is paid for.
_GRACE = 5.0

# A call in flight is reported after so many seconds.
_LONG = 10.0

# How much of a reply that was cut off goes back with the re-ask: enough to see what it was, not to be paid for twice.
_CUT_REPLY_CHARACTERS = 1000


class Conversation(Generic[Reply]):
    """A question to a chat model and what has come of it.

    It makes no calls itself, so that a replay runs the same steps without a connection: ``asked`` is what to send next,
    ``take`` is given what came back, and ``answer`` is set when there is nothing more to send.
    """

    def __init__(self, question: Question[Reply], chat: Chat) -> None:
        self.answer: Answer[Reply] | None = None
        self.trail: list[Call] = []
        self.reasks = 0
        self.question = question
        self._chat = chat
        messages = [Message("user", clean(question.prompt))]
        if question.system:
            messages.insert(0, Message("system", clean(question.system)))
        request = ChatRequest(
            model=chat.model,
            messages=tuple(messages),
            # Endpoints take letters, digits, - and _, at most 64 of them.
            schema_name=re.sub(r"[^a-zA-Z0-9_-]", "_", question.schema.__name__)[:64],
            schema=strict_schema(question.schema),
            max_tokens=chat.max_tokens,
            temperature=chat.temperature,
            sample=question.sample,
        )
        self._ask(request)

    def _ask(self, request: ChatRequest) -> None:
        self.request = request
        self.asked = Call.asking(request, self.question.purpose, self.question.step, self.question.item)

    @property
    def outcome(self) -> Answer[Reply]:
        """The answer, of a conversation that has ended."""
        assert self.answer is not None, "asked of before its end"
        return self.answer

    def take(self, entry: Call) -> None:
        """Reads what came back: sets the answer, or extends the conversation by what was wrong."""
        self.trail.append(entry)
        text = entry.reply or (self.trail[-2].reply if self.trail[1:] else "") or ""
        if entry.failure is not None:
            self.answer = Answer(None, entry.failure, text, entry.cause)
        elif entry.finish_reason == REFUSED:
            self.answer = Answer(None, "refused", text, "the endpoint's content filter")
        else:
            try:
                self.answer = Answer(parse_reply(entry.reply or "", self.question.schema), None, text)
            except ReplyError as error:
                self._ask_again(str(error), entry.reply or "", cut=entry.finish_reason == "length")

    def _ask_again(self, wrong: str, text: str, cut: bool) -> None:
        # The limit that cut a reply off will be the same for the next: asking for a shorter one is worth one try.
        if self.reasks >= (min(self._chat.max_reasks, 1) if cut else self._chat.max_reasks):
            began = " ".join("".join(char if char.isprintable() else " " for char in text[:400]).split())[:80]
            self.answer = Answer(None, "invalid_reply", text, f"unusable reply {began!r}: {wrong[:160]}")
            return
        self.reasks += 1
        said = answer_part(text)
        note = f"This reply cannot be used: {wrong}. Reply again with the whole JSON object."
        if not fits(said, self.request.schema):
            note += instructions(self.request.schema)  # the endpoint was not sent it, or ignores it
        if cut:
            said = said[:_CUT_REPLY_CHARACTERS]
            note = "This reply was cut off because it was too long. Reply again, much shorter, with one JSON object."
        more = (Message("assistant", said or "(empty)"), Message("user", note))
        self._ask(replace(self.request, messages=(*self.request.messages, *more)))


@dataclass
class Books:
    """What is known of one run's calls."""

    journal: Journal
    meter: Meter
    counters: Counter[str] = field(default_factory=Counter)  # what went wrong, by name
    paid_calls: int = 0  # made now, not replayed
    paid_usd: float | None = 0.0  # what those cost; None once one has no known price
    replayed: int = 0
    ended: dict[int, list[Conversation[Any]]] = field(default_factory=dict)  # by step, until ``failed`` reports it
    asking: dict[str, asyncio.Lock] = field(default_factory=dict)  # held while a request is under way, by its key

    def note(self, conversations: Sequence[Conversation[Any]]) -> None:
        """Counts what became of questions."""
        for conversation in conversations:
            question, failure = conversation.question, conversation.outcome.failure
            self.ended.setdefault(question.step, []).append(conversation)
            self.counters["reasks"] += conversation.reasks
            if failure:
                self.counters[f"failures/{failure}"] += 1
                self.counters["policy_defaults"] += question.purpose == "policy"

    def forget_failures(self) -> None:
        """Has the journal not use unusable replies again: the run ends with them, and a resumed run is to ask again."""
        failed = [each for every in self.ended.values() for each in every if each.outcome.failure]
        self.journal.seal(
            entry.failed(str(each.outcome.failure))
            for each in failed
            for entry in each.trail
            if entry.reply is not None
        )

    def failed(self, step: int) -> str:
        """What became of a step's questions, on one line, if some failed; it is reported once."""
        asked = self.ended.pop(step, [])
        failed = Counter(each.question.purpose for each in asked if each.outcome.failure)
        if not failed:
            return ""
        whose = ", ".join(f"{n} of the {purpose}" for purpose, n in failed.items())
        told = f"{failed_calls([each.outcome for each in asked])}; {whose}"
        if failed["policy"] == sum(each.question.purpose == "policy" for each in asked):
            told += ", which acted by its default" if failed["policy"] else ""
        return told


class Round:
    """Questions that are asked at once, in an event loop; ``answered`` gets a 1 for each that has its answer."""

    def __init__(self, chat: Chat, price: Price | None, limiter: Limiter, books: Books) -> None:
        self.answered: SimpleQueue[int] = SimpleQueue()
        self._chat = chat
        self._price = price
        self._limiter = limiter
        self._books = books
        self._sending: dict[asyncio.Task[Any], float] = {}  # with the time of sending
        self._waits: dict[str, tuple[float, str]] = {}  # by key: when it is sent again, and what failed
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False

    async def ask(self, conversations: Sequence[Conversation[Any]]) -> None:
        """Carries conversations on until each has its answer; what comes back is in the journal at once.

        Raises:
            ChatError: The endpoint cannot be used.
            StorageError: The journal cannot be written.
        """
        if self._stopped:
            return
        self._tasks = [asyncio.create_task(self._converse(index, each)) for index, each in enumerate(conversations)]
        done, left = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        if left:
            for task in left - self._sending.keys():
                task.cancel()
            await asyncio.wait(left, timeout=_GRACE)
            self.cancel()
            await asyncio.wait(left)
        for error in [task.exception() for task in done if not task.cancelled()]:
            if error is not None:
                raise error

    def cancel(self) -> None:
        """Gives up what is under way, calls in flight included; ``ask`` ends when all of it is noted."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    def waiting(self) -> str:
        """What is being waited for, in a few words for people; empty while replies come as usual."""
        now, waits, sent = time.monotonic(), list(self._waits.values()), list(self._sending.values())
        parts = []
        if waits:
            cause, _ = Counter(cause for _, cause in waits).most_common(1)[0]
            number = "1 retry" if len(waits) == 1 else f"{len(waits)} retries"
            parts.append(f"{number} ({cause[:80]}), next in {max(0.0, min(waits)[0] - now):.0f} s")
        if sent and (longest := now - min(sent)) > _LONG:
            parts.append(f"{len(sent)} in flight, the longest for {longest:.0f} s")
        return f"waiting for the endpoint: {'; '.join(parts)}" if parts else ""

    async def _converse(self, index: int, conversation: Conversation[Any]) -> None:
        books = self._books
        while conversation.answer is None:
            asked, order = conversation.asked, (index, len(conversation.trail))
            # The same request at the same time waits here, and finds the one reply in the journal.
            async with books.asking.setdefault(asked.key, asyncio.Lock()):
                entry = books.journal.find(asked) or await self._attempts(asked, conversation.request, order)
            conversation.take(entry)
        self.answered.put(1)

    async def _attempts(self, asked: Call, request: ChatRequest, order: tuple[int, int]) -> Call:
        usd = None if self._price is None else self._price.usd(most_tokens(request))
        cause = ""
        for attempt in range(1, self._chat.max_attempts + 1):
            async with self._limiter.slot(first=order[1] > 0 or attempt > 1) as slot:
                if self._stopped:
                    raise asyncio.CancelledError
                if usd is not None and not await self._books.meter.reserve(usd, (*order, attempt)):
                    return asked.failed("over_cap")
                try:
                    return await self._attempt(asked, request, usd)
                except AttemptError as error:
                    cause = error.detail
                    if error.reason in ("too_long", "rejected"):  # and would be again
                        return asked.failed(error.reason, cause)
                    self._books.counters[f"retries/{error.reason}"] += 1
                    if error.reason == "rate_limit":
                        self._limiter.rate_limited(slot)
                    self._limiter.pause(error.retry_after or 0.0)
                    wait = backoff(attempt, error.retry_after)
                except DataEnvGymError:
                    self._stopped = True  # before this slot is free: the next call would go to the same endpoint
                    raise
                finally:
                    self._limiter.alone = self._limiter.alone and self._chat.in_doubt
            if attempt < self._chat.max_attempts:
                self._waits[asked.key] = (time.monotonic() + wait, cause)
                try:
                    await asyncio.sleep(wait)
                finally:
                    del self._waits[asked.key]
        return asked.failed("gave_up", cause)

    async def _attempt(self, asked: Call, request: ChatRequest, usd: float | None) -> Call:
        """One attempt; its reservation ends with it, however it ends."""
        books, task = self._books, asyncio.current_task()
        assert task is not None
        spent = 0.0
        try:
            number = books.journal.begin(asked, usd)
            self._sending[task] = started = time.monotonic()
            try:
                reply = await self._chat.complete(request)
            except (AttemptError, asyncio.CancelledError) as error:
                if isinstance(error, AttemptError) and not error.maybe_billed:
                    books.journal.freed(number)
                else:
                    spent = usd or 0.0
                    books.counters["lost"] += 1
                    books.journal.lose(number)
                raise
            except Exception:
                with contextlib.suppress(OSError):  # the first error is the one to report
                    books.journal.freed(number)
                raise
            asked.seconds = round(time.monotonic() - started, 3)
            # If the endpoint gives no usage, the most that it can be is noted: a cap must not rest on a guess.
            asked.usage, asked.estimated = reply.usage or most_tokens(request), reply.usage is None
            asked.reply, asked.finish_reason = reply.text, reply.finish_reason
            asked.usd = None if self._price is None else self._price.usd(asked.usage)
            spent = asked.usd or 0.0
            books.journal.done(number, asked)
        finally:
            self._sending.pop(task, None)
            if usd is not None:
                books.meter.settle(usd, spent)
        self._limiter.succeeded()
        books.paid_calls += 1
        books.paid_usd = None if books.paid_usd is None or asked.usd is None else books.paid_usd + asked.usd
        return asked
