"""How sure a search is that a tool fits: one number that means the same in every catalog. Pure.

A logistic fit over query sets whose right tools were left in, taken out, or never there, each
catalog counting the same; half of the requests had a right tool. It tells requests of a foreign
field well, and requests whose one right tool is missing among its likes only a little.
"""

from math import exp

__all__ = ("CERTAIN", "LIKELY", "WEAK", "rate_confidence")

# Of a tool that was asked for by its name.
CERTAIN = 1.0
# Of a tool whose name begins with what was asked for.
LIKELY = 0.7
# Below it an answer is weak: about 5 % of the requests that have a right tool fall there.
WEAK = 0.28

_OF_COSINE = 3.9
_OF_COVERAGE = 2.2
_BIAS = -2.6
# The usual cosine of a best hit, where the vectors do not know the language of the query.
_USUAL_COSINE = 0.57


def rate_confidence(*, cosine: float, coverage: float, trust: float) -> float:
    """How likely a tool meets a query.

    Args:
        cosine: of the meanings of both.
        coverage: share of the query's words that the tool holds, rare ones counting more; 0 to 1.
        trust: how far the cosine is to be trusted; 0 to 1.

    Returns:
        In (0, 1); 0.5 where it is as likely as not, if every second query has a right tool.
    """
    likeness = trust * cosine + (1 - trust) * _USUAL_COSINE
    return 1 / (1 + exp(-(_BIAS + _OF_COSINE * likeness + _OF_COVERAGE * coverage)))
