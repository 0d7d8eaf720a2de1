"""Checks arguments against the tool's schema."""

from toolweft.policies.validate_arguments.policy import ValidateArguments

__all__ = ("ValidateArguments",)
