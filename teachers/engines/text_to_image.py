"""Illustrators that are text-to-image models: a pipeline on this machine, or an endpoint of the OpenAI protocol."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from tasks.images import Image
from teachers.chat.secrets import address_of, check_surroundings, check_variable, read_key, redact
from teachers.engines.illustrators import KeepingIllustrator

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

logger = logging.getLogger(__name__)


class DiffusersIllustrator(KeepingIllustrator):
    """A text-to-image pipeline of the diffusers package, on this machine.

    The defaults are those of SDXL-Turbo, which needs few steps and no guidance. The same description and seed give the
    same noise whatever else is in the batch.

    Args:
        task: The task to illustrate.
        model: A pipeline's folder, or its name on the Hugging Face hub.
        steps: Denoising steps.
        guidance_scale: Weight of the description; 0 for distilled models.
        side: Width and height in pixels.
        batch_size: Images made at a time.
        seed: Seed of the noise.
        device: Where to compute; None takes a GPU if there is one.
        folder: Where images are kept; None keeps nothing.
    """

    def __init__(
        self,
        task: Task,
        model: str = "stabilityai/sdxl-turbo",
        steps: int = 4,
        guidance_scale: float = 0.0,
        side: int = 512,
        batch_size: int = 4,
        seed: int = 0,
        device: str | None = None,
        folder: str | None = "runs/illustrations",
    ) -> None:
        settings = {"model": model, "steps": steps, "guidance_scale": guidance_scale, "side": side, "seed": seed}
        super().__init__(folder, settings)
        check_range(type(self).__name__, steps=steps, side=side, batch_size=batch_size)
        if importlib.util.find_spec("diffusers") is None:
            raise ConfigurationError(
                'DiffusersIllustrator needs the package diffusers: pip install "dataenvgym[diffusers]".'
            )
        self.model, self.steps, self.guidance_scale = model, steps, guidance_scale
        self.side, self.batch_size, self.seed, self.device = side, batch_size, seed, device

    def _made(self, descriptions: Sequence[str]) -> Iterator[tuple[str, Image | None]]:
        import torch

        for start in range(0, len(descriptions), self.batch_size):
            batch = list(descriptions[start : start + self.batch_size])
            digests = [hashlib.sha256(f"{self.seed}/{description}".encode()).digest() for description in batch]
            seeds = [int.from_bytes(digest[:6], "big") for digest in digests]
            made = self._pipeline(
                prompt=batch,
                num_inference_steps=self.steps,
                guidance_scale=self.guidance_scale,
                height=self.side,
                width=self.side,
                # On the CPU whatever the device: generators of different devices give different noise.
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                output_type="pil",
            )
            # Pipelines with a filter black out what it finds, and say so.
            blocked = getattr(made, "nsfw_content_detected", None) or [False] * len(batch)
            for description, picture, hidden in zip(batch, made.images, blocked, strict=True):
                yield description, None if hidden else Image.drawn(picture.convert("RGB"))

    @cached_property
    def _pipeline(self) -> Any:
        import torch
        from diffusers import AutoPipelineForText2Image

        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        half = device.startswith("cuda")
        try:
            pipeline = AutoPipelineForText2Image.from_pretrained(
                self.model, torch_dtype=torch.float16 if half else torch.float32, use_safetensors=True
            ).to(device)
        # What the hub's client and the pipeline's own loading raise for a missing model, network, file or device.
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigurationError(
                f"DiffusersIllustrator cannot load {self.model!r} on {device} ({reason:.160}): give the folder of a "
                "downloaded pipeline as model, or check the network and the device."
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


class OpenAIImagesIllustrator(KeepingIllustrator):
    """A text-to-image model behind the images endpoint of the OpenAI protocol.

    What it costs is not in the run's summary, whose prices are for tokens: limit it with ``max_images``.

    Args:
        task: The task to illustrate.
        model: Name of the model at its endpoint.
        base_url: Address of the endpoint; None takes the environment variable OPENAI_BASE_URL, or api.openai.com.
        api_key_env: Environment variable that holds the API key; it is read at the first image.
        size: Width and height, as the endpoint spells them.
        concurrency: Most requests in flight at a time.
        timeout: Seconds for one attempt.
        max_attempts: Most attempts at one image, the first included.
        max_images: Most images asked for by one process; further ones are not drawn.
        folder: Where images are kept; None keeps nothing.
    """

    def __init__(
        self,
        task: Task,
        model: str = "gpt-image-1",
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        size: str = "1024x1024",
        concurrency: int = 4,
        timeout: float = 180.0,
        max_attempts: int = 4,
        max_images: int = 1000,
        folder: str | None = "runs/illustrations",
    ) -> None:
        super().__init__(folder, {"model": model, "base_url": base_url, "size": size})
        check_range(type(self).__name__, concurrency=concurrency, max_attempts=max_attempts, max_images=max_images)
        check_range(type(self).__name__, 0, open_ends=True, timeout=timeout)
        check_variable(api_key_env, "OpenAIImagesIllustrator's api_key_env")
        check_surroundings()
        self.model, self.base_url, self.api_key_env, self.size = model, base_url, api_key_env, size
        self.concurrency, self.timeout, self.max_attempts, self.max_images = (
            concurrency,
            timeout,
            max_attempts,
            max_images,
        )
        self._asked = 0
        self._endpoint()

    def _endpoint(self) -> str | None:
        return address_of(self.base_url, "OpenAIImagesIllustrator's base_url", "OPENAI_BASE_URL")

    def _made(self, descriptions: Sequence[str]) -> Iterator[tuple[str, Image | None]]:
        self._client  # noqa: B018  # made once, before threads ask for it
        asked = descriptions[: max(0, self.max_images - self._asked)]
        self._asked += len(asked)
        if len(asked) < len(descriptions):
            logger.warning("max_images is reached: %d images are not drawn.", len(descriptions) - len(asked))
        with ThreadPoolExecutor(self.concurrency) as pool:
            try:
                yield from zip(asked, pool.map(self._image, asked), strict=True)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)  # after a final error, no more is paid for
        yield from ((description, None) for description in descriptions[len(asked) :])

    def _image(self, description: str) -> Image | None:
        from openai import APIConnectionError, APIStatusError

        # The models of the GPT family always send the image itself and refuse to be asked for it.
        form: dict[str, Any] = {} if self.model.startswith("gpt-image") else {"response_format": "b64_json"}
        try:
            reply = self._client.images.generate(model=self.model, prompt=description, n=1, size=self.size, **form)
        except APIStatusError as error:
            self._explain(error)
            return None
        except APIConnectionError as error:
            logger.warning("An image was not drawn: %s.", type(error).__name__)
            return None
        encoded = reply.data[0].b64_json if reply.data else None
        try:
            return Image(base64.b64decode(encoded or "", validate=True))
        except ValueError:  # no base64, or the bytes of no image: RecordError is one
            logger.warning("An image was not drawn: the endpoint sent something else.")
            return None

    def _explain(self, error: APIStatusError) -> None:
        status, key = error.status_code, read_key(self.api_key_env)
        said = redact(" ".join(str(error.message).split()), key)[:160]
        # ``from None``: the SDK's errors carry the request, and with it the key.
        if status == 401:  # without its message, which repeats a part of the key
            raise ConfigurationError(
                f"The images endpoint refuses the API key in {self.api_key_env} (401): check the key and the address."
            ) from None
        if status in (403, 404) or "insufficient_quota" in (error.code, error.type):
            raise ConfigurationError(
                f"The images endpoint refuses requests for {self.model!r} ({status}: {said}): check model and account."
            ) from None
        logger.warning("An image was not drawn (%d: %s).", status, said)

    @cached_property
    def _client(self) -> OpenAI:
        from openai import OpenAI

        return OpenAI(
            api_key=read_key(self.api_key_env),
            base_url=self._endpoint(),
            timeout=self.timeout,
            max_retries=self.max_attempts - 1,
        )
