"""The parts of `toolweft demo`: servers, program, recorder, token model. Used by nothing else."""

__all__ = ()
