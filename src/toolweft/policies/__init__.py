"""Small wrappers around a call, one job each; the road composes them in the order given."""

from toolweft.policies.allowed_caller import AllowedCaller
from toolweft.policies.deadline import Deadline
from toolweft.policies.validate_arguments import ValidateArguments

__all__ = ("AllowedCaller", "Deadline", "ValidateArguments")
