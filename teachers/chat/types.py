"""What a part of a teacher asks, what goes to the endpoint, what comes back, and what can go wrong."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from tasks.errors import DataEnvGymError, check_range

Reply = TypeVar("Reply", bound=BaseModel)

# The ``finish_reason`` of a reply that the endpoint's content filter stopped.
REFUSED = "content_filter"


class ChatError(DataEnvGymError, RuntimeError):
    """A chat model could not be asked, and asking again would not help (key, address, model name, request)."""

    exit_code = 1  # a run that was well composed has begun, and the same command with --resume continues it


class EndpointError(ChatError):
    """The endpoint is down, overloaded, out of credit, or replies with nothing usable."""


class SpendingCapError(DataEnvGymError, RuntimeError):
    """The dollars that the teacher may spend do not cover the next call."""


class JournalMissError(DataEnvGymError, LookupError):
    """A call that is to be replayed is not in the journal."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything that decides a model's reply; its content is its key in the journal."""

    model: str
    messages: tuple[Message, ...]
    schema_name: str
    schema: Mapping[str, Any]  # the JSON schema that the reply must fit
    max_tokens: int  # always sent, because it bounds what a call can cost
    temperature: float | None = None  # None leaves it to the endpoint
    sample: int = 0  # tells apart requests that are the same on purpose

    def plain(self) -> dict[str, Any]:
        """As JSON data; ``asdict`` would copy the schema to its last leaf, for each call."""
        messages = [{"role": message.role, "content": message.content} for message in self.messages]
        return {name: getattr(self, name) for name in self.__slots__} | {"messages": messages}


def key_of(request: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of a request (``plain``): the name under which its reply is kept."""
    canonical = json.dumps(request, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a call was billed for; ``cached`` are those of ``input`` that the endpoint had seen before."""

    input: int
    output: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What came back; ``usage`` is None if the endpoint does not say."""

    text: str
    usage: Usage | None
    finish_reason: str = "stop"  # or ``length``, ``content_filter``… as the endpoint names it


class Chat(ABC):
    """A chat model at an endpoint: one request, one attempt, one reply. ``Calls`` retries and limits.

    Args:
        model: Name of the model at its endpoint.
        temperature: Sampling temperature; None leaves it to the endpoint.
        max_tokens: Longest reply, in tokens.
        concurrency: Most calls in flight at a time.
        max_attempts: Most attempts at one request, the first included.
        max_reasks: How often a reply that does not fit the schema is asked for again, with what was wrong.
    """

    def __init__(
        self,
        model: str,
        temperature: float | None = None,
        max_tokens: int = 4096,
        concurrency: int = 16,
        max_attempts: int = 8,
        max_reasks: int = 2,
    ) -> None:
        check_range(type(self).__name__, max_tokens=max_tokens, concurrency=concurrency, max_attempts=max_attempts)
        check_range(type(self).__name__, 0, max_reasks=max_reasks, temperature=temperature)
        self.model = model
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.concurrency = concurrency
        self.max_attempts = max_attempts
        self.max_reasks = max_reasks

    @abstractmethod
    async def complete(self, request: ChatRequest) -> ChatReply:
        """One attempt at a request.

        Raises:
            AttemptError: It failed, in a way that may pass or that concerns this request alone.
            ChatError: No request will succeed.
        """

    @property
    def in_doubt(self) -> bool:
        """Whether the next reply, too, may change how all further requests are put: it is waited for alone."""
        return False

    async def aclose(self) -> None:  # noqa: B027
        """Closes connections."""


class AttemptError(Exception):
    """One attempt at a request failed.

    Args:
        reason: The counter's name. ``rate_limit``, ``server_error``, ``timeout``, ``connection`` and ``broken_body``
            may pass and are tried again; ``too_long`` (for the model's context) and ``rejected`` (for another reason)
            concern this request alone and will not pass.
        detail: What happened, in a few words for people: ``connection refused``, ``503: loading model``.
        retry_after: Seconds that the endpoint asks to wait.
        maybe_billed: Whether the endpoint may have charged for it nevertheless (it had the request and was writing).
    """

    def __init__(
        self, reason: str, detail: str = "", retry_after: float | None = None, maybe_billed: bool = False
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail or reason
        self.retry_after = retry_after
        self.maybe_billed = maybe_billed


@dataclass(frozen=True, slots=True)
class Question(Generic[Reply]):
    """What a policy, an engine or a skill discovery asks a chat model."""

    prompt: str
    schema: type[Reply]  # its validators decide; their messages go to the chat model when it is asked again
    example: Reply  # a valid reply of the size to expect: what a dry run takes for the answer
    purpose: Literal["policy", "engine", "skills"]  # costs are reported by it
    step: int  # 0 before the first
    item: int | None = None  # the plan item (index of the spec) that it is asked for
    system: str = ""
    sample: int = 0  # tells apart questions that are the same on purpose


@dataclass(frozen=True, slots=True)
class Answer(Generic[Reply]):
    """What became of a question.

    Args:
        value: The reply, valid under the schema; None if there is none.
        failure: Why there is none, as a counter's name: ``invalid_reply`` (after all re-asks), ``gave_up`` (after all
            attempts), ``refused`` (content filter), ``too_long`` (the prompt, for the model's context), ``rejected``
            (the endpoint does not take this request), ``over_cap`` (not sent, the dollars do not cover it).
        text: The last reply as it came; empty if none came.
        cause: What went wrong last, in a few words for people.
    """

    value: Reply | None
    failure: str | None = None
    text: str = ""
    cause: str = ""

    def get(self) -> Reply:
        """The reply.

        Raises:
            SpendingCapError: The dollars did not cover the call.
            EndpointError: There is no reply for another reason.
        """
        if self.value is not None:
            return self.value
        if self.failure == "over_cap":
            raise SpendingCapError("teacher.init_args.max_usd does not cover the next call: give the teacher more.")
        raise EndpointError(failed_calls([self]))


def failed_calls(answers: Sequence[Answer[Any]]) -> str:
    """How many calls failed and why, on one line: ``3 of 8 calls failed (gave_up: 3): connection refused``."""
    failed = [answer for answer in answers if answer.failure]
    counts = Counter(answer.failure for answer in failed)
    causes = Counter(answer.cause for answer in failed if answer.cause).most_common(1)
    why = ", ".join(f"{name}: {n}" for name, n in counts.most_common())
    return f"{len(failed)} of {len(answers)} calls failed ({why})" + "".join(f": {cause}" for cause, _ in causes)
