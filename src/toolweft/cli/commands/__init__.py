"""One file per command; each has an `app`, imported when the command is used."""

__all__ = ()
