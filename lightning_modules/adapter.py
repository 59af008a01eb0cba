"""LoRA: a trainable adapter on frozen weights, and the network without it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.errors import StudentError, failing_as


def add_adapter(network: Any, values: Mapping[str, Any]) -> Any:
    """A network with a fresh adapter, in evaluation mode.

    Args:
        network: The network, its weights frozen.
        values: A student's hyperparameters.

    Raises:
        StudentError: No layer has the wanted name.
    """
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
