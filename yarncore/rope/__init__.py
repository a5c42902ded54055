"""The value: a model's rotary embedding."""

from yarncore.rope.rope import Rope

__all__ = ["Rope"]
