"""Pure arithmetic about tokens."""

__all__ = ("estimate_tokens",)

# o200k_base needs 4.1 to 4.5 bytes a token on schemas and about 2.9 on records; without its
# file the estimate is this, and whoever shows it says so.
_BYTES_PER_TOKEN = 4


def estimate_tokens(size_bytes: int) -> int:
    """Tokens of a text of `size_bytes` UTF-8 bytes, estimated as bytes / 4, rounded up."""
    return -(-size_bytes // _BYTES_PER_TOKEN)
