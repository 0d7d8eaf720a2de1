"""Character n-grams of a word, hashed: what an unknown word shares with known ones. Pure."""

from zlib import crc32

__all__ = ("hash_grams",)

_SIZES = (3, 4, 5)


def hash_grams(word: str, buckets: int) -> list[int]:
    """The numbers, below `buckets`, of a word's n-grams; none for what is not a Latin word."""
    if not (word.isascii() and word.isalpha()):
        return []
    text = f"<{word}>".encode()
    return [
        crc32(text[start : start + size]) % buckets
        for size in _SIZES
        for start in range(len(text) - size + 1)
    ]
