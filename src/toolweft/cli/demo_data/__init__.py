"""The bundled source of `toolweft demo`: the travel expenses of an invented company."""

__all__ = ()
