"""What multiplies a query by its position, beside its rotation."""

from yarncore.query_scale.query_scale import LogN, LogSteps, QueryScale

__all__ = ["LogN", "LogSteps", "QueryScale"]
