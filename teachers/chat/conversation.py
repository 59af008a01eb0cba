"""One question until it is answered: the request, the reading of the reply, and asking again with what was wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Generic

from teachers.chat.entry import Entry
from teachers.chat.schema import ReplyError, answer_part, clean, fits, instructions, parse_reply, strict_schema
from teachers.chat.types import REFUSED, Answer, Chat, ChatRequest, Message, Question, Reply

# How much of a reply that was cut off goes back with the re-ask: enough to see what it was, not to be paid for twice.
_CUT_REPLY_CHARACTERS = 1000


class Conversation(Generic[Reply]):
    """A question to a chat model and what has come of it.

    It does no calls of its own: ``asked`` is what to send next, ``take`` is told what came back, and ``answer`` is
    set when there is nothing more to send. So a replay runs the same steps as the calls did, without a connection.
    """

    def __init__(self, question: Question[Reply], chat: Chat) -> None:
        self.answer: Answer[Reply] | None = None
        self.trail: list[Entry] = []
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
        self.asked = Entry.asking(request, self.question.purpose, self.question.step, self.question.item)

    @property
    def outcome(self) -> Answer[Reply]:
        """The answer, of a conversation that has ended."""
        assert self.answer is not None, "asked of before its end"
        return self.answer

    def take(self, entry: Entry) -> None:
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
            note += instructions(self.request.schema)  # the endpoint was not told it, or does not heed it
        if cut:
            said = said[:_CUT_REPLY_CHARACTERS]
            note = "This reply was cut off because it was too long. Reply again, much shorter, with one JSON object."
        more = (Message("assistant", said or "(empty)"), Message("user", note))
        self._ask(replace(self.request, messages=(*self.request.messages, *more)))
