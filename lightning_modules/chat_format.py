"""A tokenizer's chat template applied to instructions and responses."""

from functools import lru_cache
from typing import Any

from lightning_modules.bounded import bounded
from lightning_modules.prompt_format import REMEMBERED_PROMPTS, PromptFormat
from tasks.base import Asked
from tasks.errors import StudentError, failing_as

# What the template writes around a response is read off a rendering of this word; any word would do.
_STAND_IN = "response-stands-here"

# Some templates print today's date unless they are given one, and the same run would differ from day to day.
_FIXED_DATE = "26 Jul 2024"

# A template is a program of the model's folder. Those of real models take a millisecond and write a page.
_SECONDS, _MEMORY, _CHARACTERS = 10.0, 2**30, 1_000_000


class ChatFormat(PromptFormat):
    """Encodes instructions and records through a chat template.

    What a template writes after the end of a turn (a line break, say) is left out, because decoding stops before it.

    Args:
        tokenizer: A tokenizer with a pad token.
        name: The model's name, for messages.
        template: The chat template; None takes the tokenizer's.

    Raises:
        StudentError: There is no chat template or it fails, no pad token or no token that ends a turn.
    """

    def __init__(self, tokenizer: Any, name: str, template: str | None = None) -> None:
        self._template = template or tokenizer.chat_template
        if isinstance(self._template, dict):  # several by name
            self._template = self._template.get("default")
        if not self._template:
            raise StudentError(
                f"The tokenizer of {name} has no chat template: set tokenizer.chat_template, save, use that folder."
            )
        super().__init__(tokenizer, name)
        self._prompt = lru_cache(maxsize=REMEMBERED_PROMPTS)(self._encode_prompt)

    def encode_prompt(self, item: Asked) -> list[int]:
        """The ids of an instruction up to where the reply begins."""
        if item.image is not None:
            raise StudentError(
                f"{self.name} reads text alone, and {item.instruction[:60]!r} is asked about an image: choose a "
                "student that sees (model.class_path: lightning_modules.VisionLanguageStudent)."
            )
        return list(self._prompt(item.instruction))

    def _encode_prompt(self, instruction: str) -> tuple[int, ...]:
        return tuple(self._ids(self._render([self._turn("user", instruction)], add_generation_prompt=True)))

    def _around_response(self) -> tuple[str, list[int]]:
        asked = self._turn("user", "x")
        prompt = self._render([asked], add_generation_prompt=True)
        turns = [asked, self._turn("assistant", _STAND_IN)]
        before, _, after = self._render(turns, add_generation_prompt=False).rpartition(_STAND_IN)
        lead = before.removeprefix(prompt) if before.startswith(prompt) else ""
        # White space before a response belongs to its first token; anything else there (an empty "thinking" part)
        # is something that templates write for past turns only and that a student need not learn.
        return lead if lead.isspace() else "", self._closing(after)

    def _turn(self, role: str, text: str) -> dict[str, Any]:
        return {"role": role, "content": text}

    def _render(self, turns: list[dict[str, Any]], add_generation_prompt: bool) -> str:
        what = f"The chat template of {self.name} cannot be used"
        with failing_as(StudentError, what, "mend it, or use another model"), bounded(_SECONDS, _MEMORY):
            text = str(
                self.tokenizer.apply_chat_template(
                    turns,
                    chat_template=self._template,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    date_string=_FIXED_DATE,
                )
            )
            if len(text) > _CHARACTERS + sum(len(str(turn)) for turn in turns):
                raise ValueError(f"it writes {len(text):,} characters around a prompt")
        return text

    def _closing(self, after: str) -> list[int]:
        """The ids from the end of a response up to the first control token, which ends the turn."""
        control = set(self.tokenizer.all_special_ids) | set(self.tokenizer.added_tokens_decoder)
        ids = self._ids(after)
        for place, token in enumerate(ids):
            # Line breaks are added tokens in some vocabularies (Gemma's), but they end nothing.
            if token in control and self.tokenizer.decode([token]).strip():
                return ids[: place + 1]
        return self._end_of_sequence(
            f"The chat template of {self.name} ends a turn with {after!r}, which holds no control token"
        )
