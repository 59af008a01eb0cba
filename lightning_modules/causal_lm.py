"""The text student: any causal language model of the Hugging Face hub, by name or folder."""

from lightning_modules.base_weights import load_chat_format
from lightning_modules.chat_format import ChatFormat
from lightning_modules.student import StudentModule


class CausalLMStudent(StudentModule):
    """A causal language model with a chat template; it is asked in text alone. Arguments: StudentModule's."""

    auto_class = "AutoModelForCausalLM"

    @property
    def prompt_format(self) -> ChatFormat:
        """The tokenizer's chat template."""
        return load_chat_format(self._location, self.hparams["revision"])
