"""Libraries in a process that is not ours alone: what they print, and what of the process they change."""

import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# Idle OpenMP threads otherwise spin against the busy ones (up to 30 times slower); if they sleep at once, each of a
# tiny student's short loops waits for them to wake. So they spin a little: a step of tiny_text with two threads on two
# cores took 232 ms asleep, 140 ms so, 146 ms spinning; of two such processes at once 250, 290 and 880 ms. This has to
# be set before torch is imported; and Lightning's calls of jsonargparse are nothing that a user can change.
VARIABLES = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "1000",
    "KMP_BLOCKTIME": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "JSONARGPARSE_DEPRECATION_WARNINGS": "off",
}
_SET_BY_LIBRARIES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "PYTORCH_NVML_BASED_CUDA_CHECK", "TORCHINDUCTOR_CACHE_DIR")

# What every new Trainer says again: hardware, tips, deprecations inside libraries.
_SAID_AGAIN = (
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*LightningCLI's args parameter.*",
    ".*does not have many workers.*",
    ".*litlogger.*",
    ".*smaller than the logging interval.*",
    ".*gradient_checkpointing.*",
)
_LEVELS = {
    "huggingface_hub": logging.ERROR,  # it logs each retry without a network
    # Long questions are cut by max_length, or read by models that take them; the tokenizer cannot know.
    "transformers.tokenization_utils_base": logging.ERROR,
}
_LIGHTNING = {"lightning.pytorch": logging.WARNING, "lightning.fabric": logging.WARNING}


def quieten(lightning: bool = True) -> None:
    """Silences libraries for the rest of the process; with ``lightning`` also Lightning's own lines."""
    for message in _SAID_AGAIN:
        warnings.filterwarnings("ignore", message=message)
    # A student's reply that is read as Python, by ast.parse: what is odd in it is the student's.
    warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")
    for name, level in {**_LEVELS, **(_LIGHTNING if lightning else {})}.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def contained() -> Iterator[None]:
    """Silences libraries inside, and restores random states, warning filters, log levels and environment variables.

    For code between two calls, such as a loop in a notebook.
    """
    state = random.getstate()  # which imports change, too
    variables = {name: os.environ.get(name) for name in (*VARIABLES, *_SET_BY_LIBRARIES)}
    for name, default in VARIABLES.items():
        os.environ.setdefault(name, default)
    from lightning.pytorch.utilities.seed import isolate_rng  # its import sets a level, which is Lightning's own

    loggers = {name: logging.getLogger(name).level for name in (*_LEVELS, *_LIGHTNING)}
    try:
        with ExitStack() as opened:
            # Where the process is quiet already, a change of the filters would have each warning come again.
            if not any(pattern and pattern.pattern == _SAID_AGAIN[0] for _, pattern, *_ in warnings.filters):
                opened.enter_context(warnings.catch_warnings())
            quieten()
            opened.enter_context(isolate_rng())
            yield
    finally:
        random.setstate(state)
        for name, level in loggers.items():
            logging.getLogger(name).setLevel(level)
        for name, value in variables.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
