"""What an endpoint understands of the OpenAI protocol, learned from what it refuses and from what it ignores."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from teachers.chat.schema import fits, instructions, is_strict
from teachers.chat.types import REFUSED, AttemptError, ChatReply, ChatRequest

Structured = Literal["auto", "json_schema", "json_object", "prompt"]

_LOG = logging.getLogger(__name__)

# A reply of fewer tokens than this is of no use: a prompt that leaves no more room is too long.
_SHORTEST_REPLY = 256

# Complaints of many servers and proxies, in lower case.
_NUMBER = r"(\d[\d,]*)"

# vLLM, OpenAI, OpenRouter, SGLang, TGI: the context, and how much of it the prompt takes.
_CONTEXT = re.compile(rf"context (?:length|window|size|limit)\D{{0,25}}?{_NUMBER}|must be <= {_NUMBER}")
_INPUT = re.compile(
    rf"{_NUMBER}\s+(?:tokens?\s+)?(?:in|from|of)\s+(?:the\s+|your\s+)?(?:text\s+)?(?:input|messages|prompt)"
    rf"|{_NUMBER}\s+`?(?:inputs?|prompt)`?\s+tokens"
)
_SUM = re.compile(rf"{_NUMBER}\s*\+\s*{_NUMBER}\s*>\s*{_NUMBER}")  # Anthropic: prompt + limit > context

_LIMIT = re.compile(r"max_(?:completion_|new_|output_)?tokens|(?:output|completion) tokens")
_SIZE = re.compile(r"too (?:large|high|big|long|many)|at most|maxim|less than|exceed|between|range|greater|larger|[<>]")

_LENGTH = re.compile(
    r"context[ _]?(?:length|window|size|limit)|contextwindow|context.{0,20}(?:overflow|exceed)|exceed.{0,40}context"
    r"|too long|too many (?:input )?tokens|request[ _]too[ _]large"
    r"|(?:payload|entity|content|input|prompt) (?:is )?too large"
    r"|exceed.{0,60}tokens|tokens?\b.{0,40}exceed|token limit|(?:input|prompt) (?:length|tokens?)"
    r"|reduce the length|longer than|max_model_len|maximum model length|n_ctx|above_max_length"
)
_FORMAT = re.compile(
    r"response[ _]?format|json[ _-]?(?:schema|object|mode|output)|schema|guided|grammar|structured|constrained|xgrammar"
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a request is put."""

    form: Literal["json_schema", "json_object"] | None = "json_schema"  # of the ``response_format``
    in_prompt: bool = False  # whether the prompt holds the schema
    limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    temperature: bool = True  # whether it takes one
    most_tokens: int | None = None  # the longest reply that may be asked for
    room: int | None = None  # the longest reply that one long prompt leaves room for; of that request alone

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """The request as arguments of the endpoint."""
        messages = request.plain()["messages"]
        body: dict[str, Any] = {"model": request.model, "messages": messages}
        body[self.limit] = min(filter(None, (request.max_tokens, self.most_tokens, self.room)))
        if self.temperature and request.temperature is not None:
            body["temperature"] = request.temperature
        schema = dict(request.schema)
        if self.form == "json_schema":
            named = {"name": request.schema_name, "schema": schema, "strict": is_strict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif self.form == "json_object":
            body["response_format"] = {"type": "json_object"}
        if self.in_prompt:
            # Into the first message of the user: some chat templates know no system message, or only one.
            asked = next(message for message in messages if message["role"] == "user")
            asked["content"] += instructions(schema)
        return body

    @property
    def simpler(self) -> Dialect:
        """The same with less asked of the endpoint for the schema; itself if nothing is."""
        return replace(self, form="json_object" if self.form == "json_schema" else None, in_prompt=True)


class Negotiation:
    """The dialect in use; ``structured`` other than ``auto`` fixes it.

    It is no part of a request's key in the journal: how a request was put does not change what it is.
    """

    def __init__(self, structured: Structured, model: str) -> None:
        forms: dict[Structured, Dialect] = {
            "json_object": Dialect("json_object", in_prompt=True),
            "prompt": Dialect(None, in_prompt=True),
        }
        self.dialect = forms.get(structured, Dialect())
        self._auto = structured == "auto"
        self._model = model
        self._answered: set[tuple[str, str | None]] = set()  # schemas with the form in which they were answered
        self._server_errors = 0
        self._walked = False  # whether every way of sending a schema was tried in vain
        self._fitting = self._misfits = 0  # replies to a response_format that is the only place of the schema

    @property
    def in_doubt(self) -> bool:
        """Whether all replies so far did not fit, and are too few to conclude anything from."""
        return self._auto and not self._fitting and not self.dialect.in_prompt and self._misfits > 0

    @property
    def in_use(self) -> bool:
        """Whether the endpoint has answered any request so far."""
        return bool(self._answered)

    def next(
        self, begun: Dialect, used: Dialect, request: ChatRequest, body: Mapping[str, Any], status: int, said: str
    ) -> Dialect | None:
        """How to put a request that was refused; None if no other way is known. It ends: each way asks for less.

        ``begun`` was the dialect in use when the request was first put, ``used`` the one refused; ``said`` is the
        endpoint's message and the parameter that it names.
        """
        told, said = said, said.lower()
        sent = int(body[used.limit])
        if (room := room_in(said)) is not None and room < sent:
            if room < min(sent, _SHORTEST_REPLY):
                raise AttemptError("too_long", f"{status}: {told[:300]}")
            return replace(used, room=room)
        if about_limit(said) and (most := limit_in(said, sent)) > 0:
            return replace(used, most_tokens=most)
        if used.limit == "max_completion_tokens" and used.limit in said:
            return replace(used, limit="max_tokens", most_tokens=begun.most_tokens)
        if about_length(said):
            raise AttemptError("too_long", f"{status}: {told[:300]}")
        if "temperature" in said and "temperature" in body:
            return replace(used, temperature=False)
        if not self._auto or used.form is None:
            return None
        if about_format(said):
            return used.simpler
        if self._walked or (request.schema_name, used.form) in self._answered:
            return None
        if status == 500 and used.form == begun.form:  # a refusal without a word, or a failure that will pass
            self._server_errors += 1
            if self._server_errors % 8 != 4:
                return None
        self._walked = status != 500 and used.simpler.form is None
        return used.simpler

    def answered(self, begun: Dialect, used: Dialect, request: ChatRequest, reply: ChatReply) -> None:
        """Keeps how an answered request was put, and moves on if the reply shows what the endpoint ignored."""
        self._answered.add((request.schema_name, used.form))
        self._adopt(begun, replace(used, room=None))
        if reply.usage is not None and reply.usage.output > request.max_tokens and used.limit != "max_tokens":
            self._adopt(self.dialect, replace(self.dialect, limit="max_tokens"))
        self._walked = False
        now = self.dialect
        asked_again = any(message.role == "assistant" for message in request.messages)  # the schema is in the words
        cut = reply.finish_reason in ("length", REFUSED)
        if not self._auto or now.form != used.form or asked_again or cut:
            return
        fitting = fits(reply.text, request.schema)
        if not used.in_prompt:
            self._fitting += fitting
            # An object of another form can be one mistake of a model that was held to the schema; prose cannot.
            self._misfits += 0 if fitting else 1 if "{" in reply.text else 2
            if not now.in_prompt and self._misfits > 2 * self._fitting + 3:
                # The response_format is still sent: an endpoint that ignores it does not mind, and some honour a part.
                self._adopt(now, replace(now, in_prompt=True))
        elif used.form is not None and not reply.text.strip():
            self._adopt(now, now.simpler)

    def _adopt(self, begun: Dialect, new: Dialect) -> None:
        if self.dialect == begun and new != begun:  # else another call has moved on meanwhile
            self.dialect = new
            _LOG.warning("The endpoint of %s does not honour %s; going on with %s.", self._model, begun, new)


def room_in(said: str) -> int | None:
    """Tokens that a prompt leaves for the reply, where a complaint names context and prompt."""
    if found := _SUM.search(said):
        prompt, _, context = found.groups()
    else:
        context_found, prompt_found = _CONTEXT.search(said), _INPUT.search(said)
        if context_found is None or prompt_found is None:
            return None
        context, prompt = (next(filter(None, each.groups())) for each in (context_found, prompt_found))
    return _int(context) - _int(prompt)


def about_limit(said: str) -> bool:
    """Whether a complaint says that a longer reply was asked for than may be."""
    return _LIMIT.search(said) is not None and _SIZE.search(said) is not None


def limit_in(said: str, sent: int) -> int:
    """The longest reply that may be asked for after a complaint: the number that it names, or half of what was sent."""
    numbers = (_int(number) for number in re.findall(rf"(?<![\w.,-]){_NUMBER}(?![\w-])", said))
    return max((number for number in numbers if 16 <= number < sent), default=sent // 2 if sent >= 32 else 0)


def about_length(said: str) -> bool:
    """Whether a complaint says that the prompt is too long."""
    return _LENGTH.search(said) is not None


def about_format(said: str) -> bool:
    """Whether a complaint is about the schema, or the way in which it was sent."""
    return _FORMAT.search(said) is not None


def _int(number: str) -> int:
    return int(number.replace(",", ""))
