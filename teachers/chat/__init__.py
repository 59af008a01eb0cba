"""Chat models: OpenAI-compatible clients, and the calls that keep, count and limit what is asked of them."""

from teachers.chat.calls import Calls
from teachers.chat.openai_chat import AzureOpenAIChat, OpenAIChat
from teachers.chat.types import (
    Answer,
    AttemptError,
    Chat,
    ChatError,
    ChatReply,
    ChatRequest,
    EndpointError,
    JournalMissError,
    Message,
    Question,
    SpendingCapError,
    Usage,
)

__all__ = [
    "Answer",
    "AttemptError",
    "AzureOpenAIChat",
    "Calls",
    "Chat",
    "ChatError",
    "ChatReply",
    "ChatRequest",
    "EndpointError",
    "JournalMissError",
    "Message",
    "OpenAIChat",
    "Question",
    "SpendingCapError",
    "Usage",
]
