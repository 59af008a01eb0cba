"""A student's weights as a folder: the adapter alone, or the whole model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tasks.errors import MissingFileError, StudentError, failing_as

_ADAPTER = "adapter_model.safetensors"
_MODEL = "model.safetensors"


def write_weights(network: Any, tuning: str, folder: Path) -> None:
    """Writes the adapter (LoRA) or the whole model (full), as safetensors."""
    if tuning == "full":
        network.save_pretrained(folder)
        return
    # "auto" would ask the hub whether the vocabulary was resized.
    network.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty model card


def trainable_state(student: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a state that was trained."""
    trainable = {name for name, weight in student.named_parameters() if weight.requires_grad}
    return {name: state[name] for name in state if name in trainable}


def check_weights(tuning: str, folder: Path) -> None:
    """Whether the folder holds weights of this tuning.

    Raises:
        MissingFileError: It does not.
    """
    wanted = folder / (_ADAPTER if tuning == "lora" else _MODEL)
    if not wanted.is_file() and not (tuning == "full" and wanted.with_name(f"{_MODEL}.index.json").is_file()):
        raise MissingFileError(f"{wanted} does not exist: pass the folder of a student saved with tuning: {tuning}.")


def read_weights(network: Any, tuning: str, folder: Path) -> None:
    """Puts the weights that write_weights() wrote into a network.

    Raises:
        StudentError: The weights do not fit.
    """
    from safetensors.torch import load_file

    with failing_as(StudentError, f"The weights in {folder} do not fit this student", "use its settings"):
        if tuning == "lora":
            from peft import set_peft_model_state_dict

            set_peft_model_state_dict(network, load_file(folder / _ADAPTER))
        else:
            # Through from_pretrained, since some models are stored under other names than they have in memory.
            dtype = next(network.parameters()).dtype
            weights = type(network).from_pretrained(folder, dtype=dtype, use_safetensors=True)
            network.load_state_dict(weights.state_dict())
