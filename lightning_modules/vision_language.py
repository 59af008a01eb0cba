"""The student that sees: any model of the Hugging Face hub that answers questions about an image."""

from collections.abc import Sequence

from torch import Tensor

from lightning_modules.base_weights import load_image_format
from lightning_modules.image_format import ImageFormat
from lightning_modules.student import StudentModule
from tasks.images import Image

_OF_TEXT = {"input_ids", "labels", "attention_mask", "index", "references"}


class VisionLanguageStudent(StudentModule):
    """A model of text and image, e.g. PaliGemma or LLaVA. Arguments: StudentModule's.

    Every instance and record must have an image. A model with a chat template is asked through it; one without, such
    as PaliGemma, is asked with the image and the bare instruction, in training and in evaluation alike.
    """

    auto_class = "AutoModelForImageTextToText"

    @property
    def prompt_format(self) -> ImageFormat:
        """The processor's chat template, or the bare prefix of a processor that has none."""
        return load_image_format(self._location, self.hparams["revision"])

    def encode_images(self, images: Sequence[Image]) -> dict[str, Tensor]:
        """What the network is given of images, of shape (images, ...), by the name of its argument."""
        return self.prompt_format.prompts.pixels(images)

    def further_inputs(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch's images, and which of its tokens belong to the prompt where the model wants to know."""
        images = {name: batch[name] for name in batch if name not in _OF_TEXT}
        return images | self.prompt_format.token_types(batch["input_ids"], batch.get("labels"))
