"""Runs programs that call tools: stubs to read, a check before, a container around."""

from toolweft.programs.check import check_program
from toolweft.programs.options import ContainerOptions, ProgramOptions
from toolweft.programs.runner import ProgramRunner
from toolweft.programs.stubs import DETAILS, Detail, render_stub

__all__ = (
    "DETAILS",
    "ContainerOptions",
    "Detail",
    "ProgramOptions",
    "ProgramRunner",
    "check_program",
    "render_stub",
)
