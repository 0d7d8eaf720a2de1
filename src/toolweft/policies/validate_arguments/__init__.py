"""Checks arguments, and other values of strangers, against a schema."""

from toolweft.policies.validate_arguments.policy import ValidateArguments
from toolweft.policies.validate_arguments.validators import build_validator

__all__ = ("ValidateArguments", "build_validator")
