"""One question until it is answered: the request, the reading of the reply, and asking again with what was wrong."""

from __future__ import annotations

import re
from typing import Any, Generic

from teachers.chat.entry import Entry, Label
from teachers.chat.schema import ReplyError, clean, parse_reply, strict_schema
from teachers.chat.types import Answer, Chat, ChatRequest, Message, Question, Reply

# Names that endpoints give to a reply which their content filter stopped.
REFUSED = "content_filter"

# How much of a reply that was cut off goes back with the re-ask: enough to see what it was, not to be paid for twice.
_CUT_REPLY_CHARACTERS = 1000


class Conversation(Generic[Reply]):
    """A question and what has come of it.

    It does no calls of its own: ``request`` is what to send next, ``take`` is told what came back, and ``answer`` is
    set when there is nothing more to send. So a replay runs the same steps as the calls did, without a connection.

    Args:
        question: What is asked.
        chat: The chat model's settings.
    """

    def __init__(self, question: Question[Reply], chat: Chat) -> None:
        self.answer: Answer[Reply] | None = None
        self.trail: list[Entry] = []
        self.reasks = 0
        self._question = question
        self._chat = chat
        self._label = Label(question.purpose, question.step, question.item)
        self._schema: dict[str, Any] = strict_schema(question.schema)
        self._text = ""
        self._next: Entry | None = None
        self._messages = [Message("user", clean(question.prompt))]
        if question.system:
            self._messages.insert(0, Message("system", clean(question.system)))

    def request(self) -> ChatRequest:
        """What to send next."""
        return ChatRequest(
            model=self._chat.model,
            messages=tuple(self._messages),
            # Endpoints take letters, digits, - and _, at most 64 of them.
            schema_name=re.sub(r"[^a-zA-Z0-9_-]", "_", self._question.schema.__name__)[:64],
            schema=self._schema,
            max_tokens=self._chat.max_tokens,
            temperature=self._chat.temperature,
            sample=self._question.sample,
        )

    def asking(self) -> Entry:
        """The exchange that the next request begins."""
        if self._next is None:
            self._next = Entry.asking(self.request(), self._label)
        return self._next

    def take(self, entry: Entry) -> None:
        """Reads what came back: sets the answer, or extends the conversation by what was wrong."""
        self.trail.append(entry)
        self._next = None
        if entry.failure is not None:
            self.answer = Answer(None, entry.failure, self._text)
            return
        self._text = entry.reply or ""
        if entry.finish_reason == REFUSED:
            self.answer = Answer(None, "refused", self._text)
            return
        try:
            self.answer = Answer(parse_reply(self._text, self._question.schema), None, self._text)
        except ReplyError as error:
            self._ask_again(str(error), cut=entry.finish_reason == "length")

    def _ask_again(self, wrong: str, cut: bool) -> None:
        # The limit that cut a reply off will be the same for the next: asking for a shorter one is worth one try.
        allowed = min(self._chat.max_reasks, 1) if cut else self._chat.max_reasks
        if self.reasks >= allowed:
            self.answer = Answer(None, "invalid_reply", self._text)
            return
        self.reasks += 1
        said, note = self._text, f"This reply cannot be used: {wrong}. Reply again with the whole JSON object."
        if cut:
            said = said[:_CUT_REPLY_CHARACTERS]
            note = "This reply was cut off because it was too long. Reply again, much shorter, with one JSON object."
        self._messages += [Message("assistant", said or "(empty)"), Message("user", note)]
