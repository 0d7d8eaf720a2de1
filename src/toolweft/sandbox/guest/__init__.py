"""The side of the sandbox that runs inside: it stands alone and imports the standard library only.

Everything here is convenience for honest programs; protection comes from the kernel rules that
`lockdown` applies and from the checks on the host's side of the channel.
"""

__all__ = ()
