"""What a student learns: a LoRA adapter on frozen weights or all weights, in the network and as a folder."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tasks.errors import MissingFileError, StudentError, failing_as

_ADAPTER = "adapter_model.safetensors"
_MODEL = "model.safetensors"


def add_adapter(network: Any, values: Mapping[str, Any]) -> Any:
    """A network, its weights frozen, with a fresh adapter, in evaluation mode."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=values["lora_rank"],
        lora_alpha=values["lora_alpha"],
        lora_dropout=values["lora_dropout"],
        target_modules=values["lora_target_modules"],
        bias="none",
        task_type="CAUSAL_LM",
    )
    wanted = values["lora_target_modules"]
    with failing_as(StudentError, f"LoRA fits no layer with lora_target_modules {wanted!r}"):
        adapted = get_peft_model(network, config)
    # peft keeps a set here, whose order differs from process to process, and would save it as it comes.
    adapter: Any = adapted.peft_config["default"]
    if isinstance(adapter.target_modules, set):
        adapter.target_modules = sorted(adapter.target_modules)
    return adapted.eval()


@contextlib.contextmanager
def without_adapter(network: Any) -> Iterator[Any]:
    """A LoRA network as it was before training: its adapter switched off, dropout too."""
    training = network.training
    network.eval()
    try:
        with network.disable_adapter():
            yield network
    finally:
        network.train(training)


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
    """Refuses a folder without weights of this tuning."""
    wanted = folder / (_ADAPTER if tuning == "lora" else _MODEL)
    if not wanted.is_file() and not (tuning == "full" and wanted.with_name(f"{_MODEL}.index.json").is_file()):
        raise MissingFileError(f"{wanted} does not exist: pass the folder of a student saved with tuning: {tuning}.")


def read_weights(network: Any, tuning: str, folder: Path) -> None:
    """Puts the weights that write_weights() wrote into a network."""
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
