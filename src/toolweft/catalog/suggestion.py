"""Which tools probably only read, by the verbs in their names; pure.

A suggestion to a person who decides, never a decision: names are the server's claims too.
"""

import re

__all__ = ("sounds_read_only",)

# "listIssues", "kubectl-get", "jira_search": words in any spelling.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_READS = frozenset(
    _WORD.findall("""
        count describe exists explain fetch find get inspect list lookup read search show view
        whoami
    """)
)
_CHANGES = frozenset(
    _WORD.findall("""
        add apply approve archive assign attach ban cancel checkout clear click close commit copy
        create decline delete deploy detach disable drop edit enable exec execute fill fork format
        generate grant import insert install invite invoke kill link lock mark merge modify move
        mute patch pin pop post publish purge push put register remove rename replace reset resolve
        restart restore revoke run save schedule send set share start stop submit subscribe sync
        take toggle transfer trigger type undo uninstall unlock update upgrade upload upsert write
    """)
)


def sounds_read_only(name: str) -> bool:
    """Whether a name has a verb that reads and none that changes something.

    Args:
        name: of a tool, as its source gives it.
    """
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _READS) and not words & _CHANGES
