"""The numbers: a rotary embedding at one length."""

from yarncore.rotation.rotation import Rotation

__all__ = ["Rotation"]
