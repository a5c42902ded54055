"""The tables of cos and sin that engines make, with their float32 phases: for debugging an engine, not for models."""

from yarncore.engines.tables import angles, cos_sin

__all__ = ["angles", "cos_sin"]
