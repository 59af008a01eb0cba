"""What an endpoint understands of the OpenAI protocol, learned from its refusals."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from teachers.chat.schema import is_strict
from teachers.chat.types import ChatRequest

Structured = Literal["auto", "json_schema", "json_object", "prompt"]

_LOG = logging.getLogger(__name__)

_INSTRUCTIONS = "\n\nReply with one JSON object and nothing else. It must fit this JSON schema:\n"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a request is put.

    Args:
        structured: How the endpoint is told the schema: natively, as "some JSON object" with the schema in the
            prompt, or in the prompt only.
        limit: Name of the parameter for the longest reply.
        temperature: Whether it takes one.
    """

    structured: Literal["json_schema", "json_object", "prompt"]
    limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    temperature: bool = True

    def body(self, request: ChatRequest) -> dict[str, Any]:
        """The request as arguments of the endpoint."""
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body: dict[str, Any] = {"model": request.model, "messages": messages, self.limit: request.max_tokens}
        if self.temperature and request.temperature is not None:
            body["temperature"] = request.temperature
        schema = dict(request.schema)
        if self.structured == "json_schema":
            named = {"name": request.schema_name, "schema": schema, "strict": is_strict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
            return body
        if self.structured == "json_object":
            body["response_format"] = {"type": "json_object"}
        # Into the first message of the user: some chat templates know no system message, or only one.
        asked = next(message for message in messages if message["role"] == "user")
        asked["content"] += _INSTRUCTIONS + json.dumps(schema, ensure_ascii=False)
        return body


class Negotiation:
    """The dialect in use; a refusal moves it on, for good.

    Args:
        structured: ``auto`` to find out; anything else stays.
        model: Name of the model, for messages.
    """

    def __init__(self, structured: Structured, model: str) -> None:
        self.dialect = Dialect("json_schema" if structured == "auto" else structured)
        self._auto = structured == "auto"
        self._model = model

    def refused(self, used: Dialect, body: Mapping[str, Any], complaint: str) -> bool:
        """Moves on if the complaint is about the dialect; True if the request is worth sending again.

        Args:
            used: The dialect that was refused. Another call may have moved on meanwhile.
            body: What was sent.
            complaint: The endpoint's message and the parameter that it names.
        """
        complaint = complaint.lower()
        now = self.dialect
        if "max_completion_tokens" in complaint and used.limit == "max_completion_tokens":
            self._move(used, Dialect(now.structured, "max_tokens", now.temperature))
        elif "temperature" in complaint and "temperature" in body:
            self._move(used, Dialect(now.structured, now.limit, temperature=False))
        elif self._auto and "response_format" in body and _about_format(complaint):
            simpler: Literal["json_object", "prompt"] = "json_object" if used.structured == "json_schema" else "prompt"
            self._move(used, Dialect(simpler, now.limit, now.temperature))
        else:
            return False
        return True

    def overrun(self, used: Dialect) -> None:
        """A reply was longer than asked for: the endpoint passed over ``max_completion_tokens``."""
        if used.limit == "max_completion_tokens":
            self._move(used, Dialect(self.dialect.structured, "max_tokens", self.dialect.temperature))

    def _move(self, used: Dialect, new: Dialect) -> None:
        if self.dialect is used:
            self.dialect = new
            _LOG.warning("The endpoint of %s does not take %s; going on with %s.", self._model, used, new)


def _about_format(complaint: str) -> bool:
    return any(word in complaint for word in ("response_format", "json_schema", "json_object", "json schema", "guided"))
