"""Answers that were given, by question; bounded, and only those of one version of the catalog."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from toolweft.core.search import SearchResult

__all__ = ("RememberedAnswers",)

# Below 1 MB with five hits each.
_MAX_ANSWERS = 512


class RememberedAnswers:
    """The answers asked for last.

    Working one out never waits, so nobody can ask the same question in between.
    """

    def __init__(self, *, max_answers: int = _MAX_ANSWERS) -> None:
        self._version: Hashable = None
        self._answers: OrderedDict[Hashable, SearchResult] = OrderedDict()
        self._max_answers = max_answers

    def __len__(self) -> int:
        return len(self._answers)

    def get(
        self, question: Hashable, *, version: Hashable, work_out: Callable[[], SearchResult]
    ) -> SearchResult:
        """The answer to a question, worked out where it is not known.

        Args:
            question: everything the answer depends on within one version.
            version: of what is searched; answers of another are forgotten.
            work_out: gives the answer; an exception is passed on and nothing kept, nor is a
                degraded answer.
        """
        if version != self._version:
            self._answers.clear()
            self._version = version
        answer = self._answers.get(question)
        if answer is None:
            answer = work_out()
            if answer.degraded:
                # It will be better soon.
                return answer
            self._answers[question] = answer
            if len(self._answers) > self._max_answers:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(question)
        return answer
