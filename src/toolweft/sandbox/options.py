"""What the user decides about isolation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ("TIER_NAMES", "UNSAFE_TIER", "EngineOptions", "SandboxOptions")

# The tiers of the process sandbox, strongest first.
# Chosen by nobody but whoever names it: nothing confines a program there.
UNSAFE_TIER: Literal["unsafe"] = "unsafe"
TIER_NAMES: tuple[Literal["ns", "landlock", "noopen"], ...] = ("ns", "landlock", "noopen")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """The engine and its containers, for `backend = "container"`."""

    # unix:///path, or tcp://host:port with certificates.
    engine: str = "unix:///var/run/docker.sock"
    # Any image with Python 3.11 or newer as `python3`; never pulled by itself.
    image: str = "python:3.13-slim"
    # A runtime the engine has to use, "runsc" for one; "" leaves it to the engine.
    runtime: str = ""
    # Containers kept ready, each for one session.
    pool_size: int = 2
    # Processors one container may use at most.
    cpus: float = 1.0
    # ca.pem, cert.pem and key.pem for an engine behind TCP.
    tls_folder: str = ""
    # Whoever can read along may take over the engine's machine.
    allow_unencrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Which backend and tier; "auto" takes the strongest process, else the interpreter."""

    backend: Literal["auto", "process", "monty", "container"] = "auto"
    # "unsafe" is no isolation at all, and never what "auto" comes to.
    tier: Literal["auto", "ns", "landlock", "noopen", "unsafe"] = "auto"
    # Where environments of packages are kept; None where there are none.
    environments: Path | None = None
    # The dry run of one tier must end within this.
    probe_timeout_s: float = 20.0
    container: EngineOptions = field(default_factory=EngineOptions)
