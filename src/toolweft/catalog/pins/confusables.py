"""What a name looks like, so that two that look alike are the same here.

The table holds the letters of Cyrillic, Greek, Armenian and Cherokee and a few more that pass for
Latin ones in usual fonts. Full-width, mathematical and other styled letters are folded by Unicode
itself. Source: Unicode Technical Standard 39, the data of its "confusables" that meet identifiers.
"""

import re
import unicodedata
from typing import Final

__all__ = ("find_mixed_scripts", "fold_letters", "plain_name", "skeleton")

_LOOKS: Final = {
    # Cyrillic
    **dict(zip("авеһіјкмнорсѕтухѵԁԛԝгпьӏ", "abehijkmhopcstyxvdqwrnbI", strict=True)),
    **dict(zip("АВЕЅІЈКМНОРСТУХҮӀԌԚԜ", "ABESIJKMHOPCTYXYIGQW", strict=True)),
    # Greek
    **dict(zip("αβγεηικνορτυχωςϳ", "abyenikvoptuxwcj", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),  # noqa: RUF001
    # Armenian
    **dict(zip("ցհոսքօյզՕՍԼՏ", "ghnufojqOULS", strict=True)),
    # Cherokee
    **dict(zip("ᎠᎡᎢᎥᎪᎫᎬᎳᎻᎽᏀᏃᏎᏒᏔᏕᏙᏚᏞᏢᏟᏦᏴ", "DRTiAJEWMYGZ4RWSVSLPCKB", strict=True)),  # noqa: RUF001
    # Latin letters that pass for others
    **dict(zip("ıɑɡɩʟꞁƖǀ", "iagiLlIl", strict=True)),
}
_FOLD: Final = str.maketrans(_LOOKS)
# What people tell apart only by looking twice; lower case comes after, so that I is an l here.
_SAME: Final = str.maketrans({"0": "o", "O": "o", "1": "l", "I": "l", "|": "l", "5": "s", "S": "s"})
_SEPARATORS: Final = re.compile(r"[\s_./:-]+")
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "GEORGIAN", "COPTIC")


def plain_name(name: str) -> str:
    """A name without what naming styles differ in: `readFile`, `read-file` and `read_file`."""
    return _SEPARATORS.sub("", name).lower()


def fold_letters(text: str) -> str:
    """The text with letters that pass for Latin ones as Latin ones."""
    return text.translate(_FOLD)


def skeleton(name: str) -> str:
    """What a name looks like; names that look alike have the same."""
    folded = name
    if not name.isascii():
        folded = fold_letters(unicodedata.normalize("NFKC", name))
    if not folded.isascii():
        # Without accents, which are overlooked.
        parts = unicodedata.normalize("NFD", folded)
        folded = "".join(part for part in parts if unicodedata.category(part) != "Mn")
    looks = _SEPARATORS.sub("", folded.translate(_SAME)).lower()
    return looks.replace("rn", "m").replace("vv", "w")


def find_mixed_scripts(name: str) -> tuple[str, ...]:
    """The alphabets of a name's letters, where they are more than one and can be confused."""
    if name.isascii():
        return ()
    found = dict.fromkeys(
        script
        for character in name
        if character.isalpha()
        for script in _SCRIPTS
        if unicodedata.name(character, "").startswith(script)
    )
    return tuple(script.capitalize() for script in found) if len(found) > 1 else ()
