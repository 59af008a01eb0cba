"""Chat models behind the OpenAI protocol: OpenAI, Azure, and compatible ones (vLLM, Ollama, llama.cpp…)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigurationError, check_range
from teachers.chat.dialect import Negotiation, Structured, about_format
from teachers.chat.secrets import address_of, check_surroundings, check_variable, read_key
from teachers.chat.types import (
    REFUSED,
    AttemptError,
    Chat,
    ChatError,
    ChatReply,
    ChatRequest,
    EndpointError,
    Usage,
    key_of,
)
from teachers.chat.wire import (
    broken_connection,
    complaint_of,
    error_in,
    excerpt,
    http_client,
    read_completion,
    retry_after,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai._types import RequestOptions

# A gateway that gave up on the model behind it: that one may have been writing, and be billed for it.
_STATUSES_OF_GATEWAYS = (408, 504, 524)

# Words of endpoints that do not let a prompt through (Azure's filter, OpenRouter's moderation, Alibaba's inspection).
_FILTERED = ("content_filter", "content management policy", "moderation", "flagged", "data_inspection_failed")

# Characters of an endpoint's complaint that are read, and that are shown.
_LONGEST_READ, _LONGEST_TOLD = 4000, 300

_LONGEST_CONNECTING = 15.0


class OpenAIChat(Chat):
    """A chat model at an OpenAI-compatible endpoint.

    Args:
        model: Name of the model at its endpoint.
        base_url: Address of the endpoint, e.g. ``http://localhost:8000/v1``; None takes the environment variable
            OPENAI_BASE_URL, or api.openai.com.
        api_key_env: Environment variable that holds the API key. It is read at the first call, and the key itself is
            in no setting, file or message.
        timeout: Seconds for one attempt.
        structured: How the endpoint is sent the schema of a reply. ``auto`` starts with native structured outputs
            (``json_schema``) and, if the endpoint refuses, tries ``json_object``, then ``prompt``; the schema goes
            into the prompt too if the endpoint ignores it.
        settings: Those of Chat: temperature, max_tokens, concurrency, max_attempts, max_reasks.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout: float = 120.0,
        structured: Structured = "auto",
        **settings: Any,
    ) -> None:
        super().__init__(model, **settings)
        check_range(type(self).__name__, 0, open_ends=True, timeout=timeout)
        # All that can be known now: an episode should not train for an hour and then fail at its first call.
        check_variable(api_key_env, f"{type(self).__name__}'s api_key_env")
        check_surroundings()
        self.base_url = base_url
        self.api_key_env = api_key_env
        self._endpoint()
        self.timeout = timeout
        self._negotiation = Negotiation(structured, model)
        # A client's connections belong to one event loop, and parts that share a chat model may have one each.
        self._clients: dict[asyncio.AbstractEventLoop, AsyncOpenAI] = {}
        self._refusals = 0  # of requests that nothing is known to be wrong with

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One attempt at a request; if only the way it was put is refused, the next way is tried within the attempt."""
        key = read_key(self.api_key_env)
        begun = used = self._negotiation.dialect
        while True:
            body = used.body(request)
            came = await self._attempt(request, body, key)
            if isinstance(came, ChatReply):
                self._negotiation.answered(begun, used, request, came)
                return came
            status, said = came
            if (then := self._negotiation.next(begun, used, request, body, status, said)) is None:
                raise self._refused(status, said)
            used = then

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known yet if the endpoint honours the schema."""
        return self._negotiation.in_doubt

    async def aclose(self) -> None:
        """Closes the connections of this event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _endpoint(self) -> str | None:
        return address_of(self.base_url, "OpenAIChat's base_url", "OPENAI_BASE_URL")

    def _make_client(self, key: str) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        # Retries are counted, limited and paid for by Calls; the SDK's own would be invisible.
        return AsyncOpenAI(api_key=key, base_url=self._endpoint(), max_retries=0, http_client=http_client())

    async def _attempt(self, request: ChatRequest, body: dict[str, Any], key: str) -> ChatReply | tuple[int, str]:
        """The reply, or status and message of a refusal that the request, or how it was put, may have caused."""
        import httpx2
        from aiohttp import ClientError
        from openai import APIConnectionError, APIStatusError

        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._make_client(key)
        options: RequestOptions = {
            "headers": {"Idempotency-Key": key_of(request.plain())},
            "timeout": httpx2.Timeout(self.timeout, connect=min(self.timeout, _LONGEST_CONNECTING)),
        }
        try:
            # The client's timeout is for each read: an endpoint that sends a byte now and then would outlive it.
            async with asyncio.timeout(self.timeout):
                # Not chat.completions.create: checking the body against its types takes as long as all the rest.
                response = await client.post("/chat/completions", cast_to=httpx2.Response, body=body, options=options)
        # ``from None`` everywhere: the SDK's errors carry the request, and with it the key.
        except TimeoutError:
            raise AttemptError("timeout", f"no reply within {self.timeout:g} s", maybe_billed=True) from None
        except APIStatusError as error:
            said = excerpt(complaint_of(error.body, error.response.text), key, _LONGEST_READ)
            return self._judged(error.status_code, said, retry_after(error.response.headers))
        except (APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL, ClientError, OSError, UnicodeError) as error:
            raise broken_connection(error) from None
        if (found := error_in(response.content)) is not None:
            return self._judged(found[0], excerpt(found[1], key, _LONGEST_READ), None)
        return read_completion(response.content, key)

    def _judged(self, status: int, said: str, wait: float | None) -> ChatReply | tuple[int, str]:
        told, lower = f"{status}: {said[:_LONGEST_TOLD]}", said.lower()
        where = f"The endpoint {self._address()}"
        if status in (402, 429) and (status == 402 or "insufficient_quota" in lower or "insufficient balance" in lower):
            raise EndpointError(f"{where} says that the account's quota is used up ({told}): add to it, then --resume.")
        if status == 429 and "request too large" in lower:  # more than the account may send in a minute
            raise AttemptError("too_long", told)
        if status == 429:
            raise AttemptError("rate_limit", told, wait)
        if status in (408, 409, 425) or (status >= 500 and status not in (500, 501)):
            raise AttemptError("server_error", told, wait, status in _STATUSES_OF_GATEWAYS)
        if status == 401:  # without its message, which repeats a part of the key
            raise ChatError(f"{where} refuses the API key in {self.api_key_env} (401): check the key and the address.")
        if status in (400, 403, 422) and any(word in lower for word in _FILTERED):
            return ChatReply("", Usage(0, 0), REFUSED)
        if status == 413:
            raise AttemptError("too_long", told)
        if status == 404:
            raise ChatError(f"{where} has no model {self.model!r} or is no chat endpoint ({told}): check both.")
        if status not in (400, 422, 500, 501):
            raise ChatError(f"{where} refuses requests for {self.model!r} ({told}): check the address and the account.")
        return status, said

    def _refused(self, status: int, said: str) -> AttemptError | ChatError:
        told = f"{status}: {said[:_LONGEST_TOLD]}"
        if status >= 500:
            return AttemptError("server_error", told)
        self._refusals += 1
        if not self._negotiation.in_use and (self._refusals > 1 or about_format(said.lower())):
            where = f"The endpoint {self._address()}"
            return ChatError(f"{where} refuses the request for {self.model!r} ({told}): check the chat's settings.")
        return AttemptError("rejected", told)

    def _address(self) -> str:
        return str(self._clients[asyncio.get_running_loop()].base_url)


class AzureOpenAIChat(OpenAIChat):
    """A chat model that is deployed at Azure.

    Args:
        model: Name of the deployment; give ``prices`` under this name if it differs from the model's.
        endpoint: Address of the resource, e.g. ``https://my-resource.openai.azure.com``; None takes the environment
            variable AZURE_OPENAI_ENDPOINT.
        api_version: Version of the protocol.
        api_key_env: Environment variable that holds the API key.
        settings: Those of OpenAIChat and Chat.
    """

    def __init__(
        self,
        model: str,
        endpoint: str | None = None,
        api_version: str = "2024-10-21",
        api_key_env: str = "AZURE_OPENAI_API_KEY",
        **settings: Any,
    ) -> None:
        super().__init__(model, endpoint, api_key_env, **settings)
        self.api_version = api_version

    def _endpoint(self) -> str | None:
        return address_of(self.base_url, "AzureOpenAIChat's endpoint", "AZURE_OPENAI_ENDPOINT")

    def _make_client(self, key: str) -> AsyncOpenAI:
        from openai import AsyncAzureOpenAI

        endpoint = self._endpoint()
        if endpoint is None:
            raise ConfigurationError("No Azure endpoint: set AZURE_OPENAI_ENDPOINT or the chat's endpoint.")
        settings: dict[str, Any] = {"api_key": key, "max_retries": 0, "http_client": http_client()}
        return AsyncAzureOpenAI(azure_endpoint=endpoint, api_version=self.api_version, **settings)
