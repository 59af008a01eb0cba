"""The pristine networks and tokenizers of this process: read from disk once, shared or copied for every student."""

import contextlib
import copy
import json
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lightning_modules.chat_format import ChatFormat
from lightning_modules.image_format import ImageFormat, image_format
from tasks.errors import MissingFileError, StudentError, failing_as, one_line

PRETRAINED = Path(__file__).parent / "pretrained"

# An episode needs one base network; a comparison of two models alternates between two. More would only fill memory.
_MAX_NETWORKS = 2
_networks: OrderedDict[tuple[Any, ...], nn.Module] = OrderedDict()


def resolve_model(name: str) -> str:
    """The folder of a model, or its hub id: an existing folder, else a student of this package, else the hub.

    Raises:
        MissingFileError: The name is a path and there is no such folder, or the folder holds no model.
        StudentError: The folder's configuration or weights are damaged, or not of a kind that is read.
    """
    with failing_as(MissingFileError, f"The model folder {name!r} cannot be used"):
        given = Path(name).expanduser()
        if given.is_file():
            raise MissingFileError(f"{name} is a file: pass the folder of a Hugging Face model.")
    for folder in (given, PRETRAINED / name):
        if folder.is_dir() and name:
            _check_folder(folder)
            return str(folder)
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or not name:
        packaged = ", ".join(sorted(path.parent.name for path in PRETRAINED.glob("*/config.json"))) or "none"
        raise MissingFileError(
            f"The model folder {name!r} does not exist (looked from {Path.cwd()}): check model_name_or_path; "
            f"the students of this package are: {packaged}."
        )
    return name


def _check_folder(folder: Path) -> None:
    """Refuses a folder without a model, as far as can be said in a moment: before a run, not in its first step."""
    if not (folder / "config.json").is_file():
        other = " but a LoRA adapter" if (folder / "adapter_config.json").is_file() else ""
        raise MissingFileError(f"{folder} holds no config.json{other}: pass the folder of a Hugging Face model.")
    # Some of these, if damaged, transformers takes for missing. It reads tokenizer.json, of megabytes, itself.
    for path in sorted(folder.glob("*config.json")):
        with failing_as(StudentError, f"{path} is damaged", "download it again"):
            if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
                raise ValueError("no JSON object")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
        if pickled:
            raise StudentError(
                f"{folder} has its weights in {pickled[0]}, whose reading can run any code: "
                "save them as model.safetensors (save_pretrained does)."
            )
        raise MissingFileError(f"{folder} holds no weights (*.safetensors): pass the folder of a Hugging Face model.")
    from safetensors import safe_open

    for path in weights:
        with failing_as(StudentError, f"{path} is damaged", "download it again"), safe_open(path, framework="pt"):
            pass  # its head says how long the file must be


@lru_cache(maxsize=4)
def load_chat_format(location: str, revision: str | None) -> ChatFormat:
    """The tokenizer of a resolved model with its chat format; one per process, so that copying a student is cheap.

    Raises:
        StudentError: The tokenizer cannot be read, or lacks a chat template or a pad token.
    """
    with failing_as(StudentError, f"The tokenizer of {location} cannot be used", "check its folder"):
        return ChatFormat(_read("AutoTokenizer", "tokenizer", location, revision), location)


@lru_cache(maxsize=4)
def load_image_format(location: str, revision: str | None) -> ImageFormat:
    """The processor of a resolved model with its format; one per process.

    Raises:
        StudentError: The processor cannot be read, or lacks something that prompts with images need.
    """
    with failing_as(StudentError, f"The processor of {location} cannot be used", "check its folder"):
        return image_format(_read("AutoProcessor", "processor", location, revision), location)


def read_network(location: str, revision: str | None, dtype: str | None, kind: str) -> Any:
    """A network read from disk or the hub, in evaluation mode.

    ``location`` is as resolve_model() gives it, ``revision`` a commit, tag or branch, and ``kind`` a class of
    transformers (``AutoModelForCausalLM``). A ``dtype`` of None keeps the one that the weights are stored in.

    Raises:
        StudentError: The weights cannot be read, or do not fit the configuration in the same folder.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    settings = {"dtype": dtype or "auto", "use_safetensors": True, "output_loading_info": True}
    network, found = _read(kind, "model", location, revision, **settings)
    # transformers fills what is missing with random numbers, and says so in a warning only.
    for fault in ("missing_keys", "mismatched_keys"):
        if names := sorted(str(name) for name in found.get(fault) or ()):
            raise StudentError(
                f"The weights in {location} do not fit its config.json: {len(names)} {fault.replace('_keys', '')}, the "
                f"first {one_line(names[0], 80)}: download the folder again."
            )
    return network.eval()


def _read(kind: str, part: str, location: str, revision: str | None, **settings: Any) -> Any:
    """Reads a part of a model with a class of transformers; no code of the folder is run, and nobody is asked."""
    import transformers

    if Path(location).is_dir():
        what, advice = f"The {part} in {location} cannot be read", "check or download the folder again"
    else:
        what = f"{location!r} is no folder here and its {part} cannot be had from the Hugging Face hub"
        advice = "check the name and the network, or pass the path of a downloaded folder as model_name_or_path"
    with failing_as(StudentError, what, advice):
        read = getattr(transformers, kind).from_pretrained(
            location, revision=revision, trust_remote_code=False, **settings
        )
    # A tokenizer keeps whether it was read offline, and would write that into every student's folder.
    for tokenizer in (read, getattr(read, "tokenizer", None)):
        getattr(tokenizer, "init_kwargs", {}).pop("local_files_only", None)
    return read


def fresh_network(location: str, revision: str | None, dtype: str | None, kind: str, share: bool) -> Any:
    """A network with the pristine weights, read from disk only the first time; arguments as in read_network().

    With ``share``, its parameters are frozen and on the storage of the cached ones (nothing may write into them);
    otherwise they are trainable copies.
    """
    key = (location, revision, dtype, kind, share, _fingerprint(location))
    if key not in _networks:
        # Inside configure_model the default device is the trainer's. Shared weights are best there from the start;
        # the original that trainable copies are taken from must not fill the accelerator's memory.
        with contextlib.nullcontext() if share else torch.device("cpu"):
            _networks[key] = read_network(location, revision, dtype, kind)
    _networks.move_to_end(key)
    while len(_networks) > _MAX_NETWORKS:
        _networks.popitem(last=False)
    pristine = _networks[key]
    if not share:
        return copy.deepcopy(pristine)
    # The memo makes deepcopy put these in place of the weights: new Parameter objects (a device or dtype move, or a
    # hook, must not reach the cache) on the old storage. Tied weights have one id and so stay tied.
    memo: dict[int, Any] = {
        id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in pristine.parameters()
    }
    return copy.deepcopy(pristine, memo)


def _fingerprint(location: str) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a folder's files: a folder that has changed is read again."""
    folder = Path(location)
    if not folder.is_dir():
        return ()
    stats = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
