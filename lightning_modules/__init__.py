"""The students, and the Lightning callbacks that measure them."""

from lightning_modules.causal_lm import CausalLMStudent
from lightning_modules.student import StudentModule
from lightning_modules.vision_language import VisionLanguageStudent

__all__ = ["CausalLMStudent", "StudentModule", "VisionLanguageStudent"]
