"""Chat models behind the OpenAI protocol: OpenAI, Azure, and what speaks like them (vLLM, Ollama, llama.cpp…)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigurationError
from teachers.chat.addresses import address_of, check_surroundings
from teachers.chat.conversation import REFUSED
from teachers.chat.dialect import Dialect, Negotiation, Structured
from teachers.chat.entry import request_key
from teachers.chat.secrets import check_variable, read_key
from teachers.chat.types import AttemptError, Chat, ChatError, ChatReply, ChatRequest, Usage
from teachers.chat.wire import complaint_of, read_completion, retry_after

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI
    from openai._types import RequestOptions

# A gateway that gave up on the model behind it: that one may have been writing, and be billed for it.
_STATUSES_OF_GATEWAYS = (408, 504, 524)


class OpenAIChat(Chat):
    """A chat model at an OpenAI-compatible endpoint.

    Args:
        model: Name of the model at its endpoint.
        base_url: Address of the endpoint, e.g. ``http://localhost:8000/v1``; None takes the environment variable
            OPENAI_BASE_URL, or api.openai.com.
        api_key_env: Environment variable that holds the API key. It is read at the first call, and the key itself is
            in no setting, file or message.
        temperature: Sampling temperature; None leaves it to the endpoint. Dropped if the model takes none.
        max_tokens: Longest reply, in tokens, those of hidden reasoning included.
        concurrency: Most calls in flight at a time.
        timeout: Seconds for one attempt.
        max_attempts: Most attempts at one request, the first included.
        max_reasks: How often a reply that does not fit the schema is asked for again, with what was wrong.
        structured: How the endpoint is told the schema of a reply. ``auto`` begins with native structured outputs
            (``json_schema``) and goes over to ``json_object``, then ``prompt``, if the endpoint refuses.

    Raises:
        ConfigurationError: A setting cannot work.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        temperature: float | None = None,
        max_tokens: int = 4096,
        concurrency: int = 16,
        timeout: float = 120.0,
        max_attempts: int = 8,
        max_reasks: int = 2,
        structured: Structured = "auto",
    ) -> None:
        super().__init__(model, temperature, max_tokens, concurrency, max_attempts, max_reasks)
        if timeout <= 0:
            raise ConfigurationError(f"{type(self).__name__}'s timeout is {timeout}: give seconds above 0.")
        # All that can be known now: an episode should not train for an hour and then fail at its first call.
        check_variable(api_key_env, f"{type(self).__name__}'s api_key_env")
        check_surroundings()
        self.base_url = base_url
        self.api_key_env = api_key_env
        self._endpoint()
        self.timeout = timeout
        self._negotiation = Negotiation(structured, model)
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One attempt at a request; a refusal of the way it was put is no attempt.

        Raises:
            AttemptError: It failed in a way that may pass.
            ChatError: It failed for good.
            ConfigurationError: The key is not set.
        """
        key = read_key(self.api_key_env)
        while True:  # ends: each refusal moves the dialect on, and there are few
            dialect = self._negotiation.dialect
            body = dialect.body(request)
            reply = await self._attempt(body, request_key(request), key, dialect)
            if reply is not None:
                if reply.usage is not None and reply.usage.output > request.max_tokens:
                    self._negotiation.overrun(dialect)
                return reply

    async def aclose(self) -> None:
        """Closes connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _endpoint(self) -> str | None:
        return address_of(self.base_url, "OpenAIChat's base_url", "OPENAI_BASE_URL")

    def _make_client(self, key: str) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        # Retries are counted, limited and paid for by Calls; the SDK's own would be invisible.
        return AsyncOpenAI(api_key=key, base_url=self._endpoint(), max_retries=0, http_client=DefaultAioHttpClient())

    async def _attempt(self, body: dict[str, Any], name: str, key: str, dialect: Dialect) -> ChatReply | None:
        """The reply; None if the request is to be put in another way."""
        import httpx2
        from openai import APIConnectionError, APIStatusError

        # An HTTP client's connections belong to one event loop; a chat model may be used by several, one after another.
        if self._client is None or self._loop is not asyncio.get_running_loop():
            self._client, self._loop = self._make_client(key), asyncio.get_running_loop()
        options: RequestOptions = {"headers": {"Idempotency-Key": name}, "timeout": self.timeout}
        try:
            # The client's timeout is for each read: an endpoint that sends a byte now and then would outlive it.
            async with asyncio.timeout(self.timeout):
                # Not chat.completions.create, whose going over the body against its types takes as long as the rest.
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=body, options=options
                )
        except TimeoutError:
            raise AttemptError("timeout", maybe_billed=True) from None
        except APIConnectionError as error:
            raise _broken_connection(error) from None
        except APIStatusError as error:
            return self._status(error, body, key, dialect)
        return read_completion(response.content, key)

    def _status(self, error: APIStatusError, body: Mapping[str, Any], key: str, dialect: Dialect) -> ChatReply | None:
        """What an error status means: try again later, put it in another way, no reply to this prompt, or the end."""
        status = error.status_code
        # ``from None`` everywhere: the SDK's errors carry the request, and with it the key.
        if status == 429 and "insufficient_quota" not in (error.code, error.type):
            raise AttemptError("rate_limit", retry_after(error.response.headers)) from None
        if status in (408, 409) or status >= 500:
            waiting = retry_after(error.response.headers)
            raise AttemptError("server_error", waiting, status in _STATUSES_OF_GATEWAYS) from None
        complaint = complaint_of(error, key)
        if status in (400, 422):
            if error.code == "content_filter":
                return ChatReply("", Usage(0, 0), REFUSED)
            if error.code == "context_length_exceeded":
                return ChatReply("", Usage(0, 0), "length")
            if self._negotiation.refused(dialect, body, f"{complaint} {error.param}"):
                return None
        raise ChatError(self._final(status, complaint)) from None

    def _final(self, status: int, complaint: str) -> str:
        where = f"The endpoint {self._address()}"
        if status == 401:  # without its message, which repeats a part of the key
            return f"{where} refuses the API key in {self.api_key_env} (401): check the key and the address."
        if status == 404:
            return f"{where} has no model {self.model!r} or is no chat endpoint (404: {complaint}): check both."
        if status == 429:
            return f"{where} says that the account's quota is used up (429: {complaint}): add to it, then --resume."
        return f"{where} refuses the request for {self.model!r} ({status}: {complaint}): check the chat's settings."

    def _address(self) -> str:
        return str(self._client.base_url) if self._client is not None else str(self.base_url)


class AzureOpenAIChat(OpenAIChat):
    """A chat model that is deployed at Azure.

    Args:
        model: Name of the deployment. Its price is looked up under this name: give ``prices`` if it differs from the
            model's.
        endpoint: Address of the resource, e.g. ``https://my-resource.openai.azure.com``; None takes the environment
            variable AZURE_OPENAI_ENDPOINT.
        api_version: Version of the protocol.
        api_key_env: Environment variable that holds the API key.
        temperature: Sampling temperature; None leaves it to the endpoint. Dropped if the model takes none.
        max_tokens: Longest reply, in tokens, those of hidden reasoning included.
        concurrency: Most calls in flight at a time.
        timeout: Seconds for one attempt.
        max_attempts: Most attempts at one request, the first included.
        max_reasks: How often a reply that does not fit the schema is asked for again, with what was wrong.
        structured: How the endpoint is told the schema of a reply, as for OpenAIChat.

    Raises:
        ConfigurationError: A setting cannot work.
    """

    def __init__(
        self,
        model: str,
        endpoint: str | None = None,
        api_version: str = "2024-10-21",
        api_key_env: str = "AZURE_OPENAI_API_KEY",
        temperature: float | None = None,
        max_tokens: int = 4096,
        concurrency: int = 16,
        timeout: float = 120.0,
        max_attempts: int = 8,
        max_reasks: int = 2,
        structured: Structured = "auto",
    ) -> None:
        super().__init__(
            model,
            endpoint,
            api_key_env,
            temperature,
            max_tokens,
            concurrency,
            timeout,
            max_attempts,
            max_reasks,
            structured,
        )
        self.api_version = api_version

    def _endpoint(self) -> str | None:
        return address_of(self.base_url, "AzureOpenAIChat's endpoint", "AZURE_OPENAI_ENDPOINT")

    def _make_client(self, key: str) -> AsyncOpenAI:
        from openai import AsyncAzureOpenAI, DefaultAioHttpClient

        endpoint = self._endpoint()
        if endpoint is None:
            raise ConfigurationError("No Azure endpoint: set AZURE_OPENAI_ENDPOINT or the chat's endpoint.")
        return AsyncAzureOpenAI(
            azure_endpoint=endpoint,
            api_version=self.api_version,
            api_key=key,
            max_retries=0,
            http_client=DefaultAioHttpClient(),
        )


def _broken_connection(error: APIConnectionError) -> AttemptError:
    """Only a connection that was never made is certainly not billed."""
    from aiohttp import ClientConnectorError, ClientPayloadError, ConnectionTimeoutError, SocketTimeoutError

    # The SDK's and its transport's classes do not tell a refused connection from one that was cut later; aiohttp's do.
    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    if any(isinstance(cause, ClientConnectorError | ConnectionTimeoutError) for cause in causes):
        return AttemptError("connection")
    if any(isinstance(cause, ClientPayloadError) for cause in causes):
        return AttemptError("broken_body", maybe_billed=True)
    timeout = any(isinstance(cause, SocketTimeoutError) for cause in causes)
    return AttemptError("timeout" if timeout else "connection", maybe_billed=True)
