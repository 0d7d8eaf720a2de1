"""Real Python in containers of a Docker or Podman engine, one per session."""

from toolweft.sandbox.container.backend import ContainerBackend

__all__ = ("ContainerBackend",)
