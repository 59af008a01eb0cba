"""What an endpoint understands of the OpenAI protocol, learned from what it refuses and from what it passes over."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from teachers.chat.complaints import about_format, about_length, about_limit, limit_in, room_in
from teachers.chat.schema import fits, instructions, is_strict
from teachers.chat.types import AttemptError, ChatReply, ChatRequest

Structured = Literal["auto", "json_schema", "json_object", "prompt"]

_LOG = logging.getLogger(__name__)

# A reply of fewer tokens than this is of no use: a prompt that leaves no more room is too long.
_SHORTEST_REPLY = 256


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a request is put.

    Args:
        form: The ``response_format`` that is sent: the schema itself, "some JSON object", or none.
        in_prompt: Whether the prompt holds the schema.
        limit: Name of the parameter for the longest reply.
        temperature: Whether it takes one.
        most_tokens: The longest reply that may be asked for; None if no bound is known.
        room: The longest reply that one long prompt leaves room for; of that request alone.
    """

    form: Literal["json_schema", "json_object"] | None = "json_schema"
    in_prompt: bool = False
    limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    temperature: bool = True
    most_tokens: int | None = None
    room: int | None = None

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """The request as arguments of the endpoint."""
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
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
    """The dialect in use. No part of a request's key in the journal: how a request was put does not change what it is.

    Args:
        structured: ``auto`` to find out; anything else stays.
        model: Name of the model, for messages.
    """

    def __init__(self, structured: Structured, model: str) -> None:
        form: Literal["json_schema", "json_object"] | None = "json_schema" if structured == "auto" else None
        if structured == "json_schema" or structured == "json_object":
            form = structured
        self.dialect = Dialect(form, in_prompt=form != "json_schema")
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

        Args:
            begun: The dialect in use when the request was first put.
            used: The one that was refused.
            request: The request.
            body: What was sent.
            status: The status of the refusal.
            said: The endpoint's message, and the parameter that it names.

        Raises:
            AttemptError: The prompt is too long for the model.
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
        """A request was answered: keeps how it was put, and moves on if the reply shows what was passed over."""
        self._answered.add((request.schema_name, used.form))
        self._adopt(begun, replace(used, room=None))
        if reply.usage is not None and reply.usage.output > request.max_tokens and used.limit != "max_tokens":
            self._adopt(self.dialect, replace(self.dialect, limit="max_tokens"))
        self._walked = False
        asked_again = any(
            message.role == "assistant" for message in request.messages
        )  # then the schema is in the words
        cut = reply.finish_reason in ("length", "content_filter")
        if self._auto and self.dialect.form == used.form and not asked_again and not cut:
            self._learn_from(reply.text, used, request)

    def _learn_from(self, text: str, used: Dialect, request: ChatRequest) -> None:
        fitting, now = fits(text, request.schema), self.dialect
        if not used.in_prompt:
            self._fitting += fitting
            # An object of another form can be one slip of a model that was held to the schema; prose cannot.
            self._misfits += 0 if fitting else 1 if "{" in text else 2
            if not now.in_prompt and self._misfits > 2 * self._fitting + 3:
                # The response_format is still sent: who passes over it does not mind, and it may be honoured in part.
                self._adopt(now, replace(now, in_prompt=True))
        elif used.form is not None and not text.strip():
            self._adopt(now, now.simpler)

    def _adopt(self, begun: Dialect, new: Dialect) -> None:
        if self.dialect == begun and new != begun:  # else another call has moved on meanwhile
            self.dialect = new
            _LOG.warning("The endpoint of %s does not honour %s; going on with %s.", self._model, begun, new)
