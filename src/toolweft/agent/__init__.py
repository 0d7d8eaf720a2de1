"""The loop of a conversation: a planner that writes programs, and workers that answer inside them.

It talks to models through `toolweft.core.providers` and to everything else through a toolbox.
"""

from toolweft.agent.spending import ModelBill, Spending
from toolweft.agent.workers import Fallback, WorkerOptions, WorkerPool

__all__ = ("Fallback", "ModelBill", "Spending", "WorkerOptions", "WorkerPool")
