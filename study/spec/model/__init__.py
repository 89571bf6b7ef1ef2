"""The `model:` section: a generative family, and all that it is made of."""

from study.spec.model.families import DDPM, GAN, CustomFamily, Model, Morphing, Towards

__all__ = ["DDPM", "GAN", "CustomFamily", "Model", "Morphing", "Towards"]
