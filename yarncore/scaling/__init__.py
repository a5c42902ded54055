"""The scaling methods. To add one: a file here, and its name below; yarncore takes its names from this list."""

from yarncore.scaling.llama3 import Llama3
from yarncore.scaling.longrope import LongRoPE
from yarncore.scaling.ntk_aware import DynamicNTK, NTKAware
from yarncore.scaling.ntk_by_parts import NTKByParts
from yarncore.scaling.position_interpolation import DynamicPositionInterpolation, PositionInterpolation
from yarncore.scaling.proportional import Proportional
from yarncore.scaling.yarn import DynamicYaRN, YaRN

__all__ = [
    "DynamicNTK",
    "DynamicPositionInterpolation",
    "DynamicYaRN",
    "Llama3",
    "LongRoPE",
    "NTKAware",
    "NTKByParts",
    "PositionInterpolation",
    "Proportional",
    "YaRN",
]
