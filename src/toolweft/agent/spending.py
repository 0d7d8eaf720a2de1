"""What one conversation spends on models, and the cap on it.

A pure state machine. The agent and its workers share one: whoever is about to ask a model reserves
what that may cost, so that many workers at once cannot go beyond the cap together.
"""

from dataclasses import dataclass, field, replace

from toolweft.core.errors import BudgetSpent
from toolweft.core.models import ModelRole, TokenPrices, TokenUsage

__all__ = ("ModelBill", "Reservation", "Spending")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBill:
    """What one model was asked in one role, and what it cost."""

    role: ModelRole
    model: str
    requests: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)
    # None where nobody said what its tokens cost.
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one request may cost at most; 0 where nobody said what its tokens cost."""

    role: ModelRole
    model: str
    prices: TokenPrices | None
    cost_usd: float


class Spending:
    """Adds up what models cost.

    Args:
        max_cost_usd: nothing is reserved beyond it; None for no cap.
    """

    def __init__(self, *, max_cost_usd: float | None = None) -> None:
        self._max_cost_usd = max_cost_usd
        self._bills: dict[tuple[ModelRole, str], ModelBill] = {}
        self._reserved_usd = 0.0
        self._spent_usd = 0.0

    @property
    def bills(self) -> tuple[ModelBill, ...]:
        """One for each role and model, in the order in which they were first asked."""
        return tuple(self._bills.values())

    @property
    def cost_usd(self) -> float:
        """What was spent so far on models whose prices are known."""
        return self._spent_usd

    def reserve(
        self, *, role: ModelRole, model: str, prices: TokenPrices | None, most: TokenUsage
    ) -> Reservation:
        """Put aside what a request may cost; `settle`, `forfeit` or `release` it afterwards.

        Args:
            role: what the model is asked as.
            model: as the user names it.
            prices: of the model; None where unknown, and then a cap cannot be kept.
            most: the tokens it may use.

        Raises:
            BudgetSpent: there is a cap, and the request might go beyond it or has no price.
        """
        if self._max_cost_usd is not None and prices is None:
            raise BudgetSpent(
                f"{model} has no known prices, so a cap of ${self._max_cost_usd:g} cannot be kept",
                hint="give its prices, or no max_cost",
            )
        cost_usd = 0.0 if prices is None else prices.cost_usd(most)
        committed_usd = self._spent_usd + self._reserved_usd
        if self._max_cost_usd is not None and committed_usd + cost_usd > self._max_cost_usd:
            raise BudgetSpent(
                f"${self._spent_usd:.4f} of ${self._max_cost_usd:g} is spent, and asking {model}"
                f" may cost up to ${cost_usd:.4f} more",
                hint="raise max_cost, or ask for less",
            )
        self._reserved_usd += cost_usd
        return Reservation(role=role, model=model, prices=prices, cost_usd=cost_usd)

    def settle(self, reservation: Reservation, usage: TokenUsage) -> float | None:
        """Replace a reservation by what was really used.

        Returns:
            Its cost in US dollars; None where the prices are not known.
        """
        self.release(reservation)
        cost_usd = None if reservation.prices is None else reservation.prices.cost_usd(usage)
        self._add(reservation, usage, cost_usd)
        return cost_usd

    def forfeit(self, reservation: Reservation) -> float | None:
        """Count a reservation as spent: the request was cut off, and what it cost is unknown.

        Returns:
            What it may have cost at most, in US dollars; None where the prices are not known.
        """
        self.release(reservation)
        cost_usd = None if reservation.prices is None else reservation.cost_usd
        self._add(reservation, TokenUsage(), cost_usd)
        return cost_usd

    def release(self, reservation: Reservation) -> float | None:
        """Give a reservation back: the request was not made, or nobody was charged for it.

        Returns:
            Nothing in US dollars; None where the prices are not known.
        """
        self._reserved_usd = max(0.0, self._reserved_usd - reservation.cost_usd)
        return None if reservation.prices is None else 0.0

    def _add(self, reservation: Reservation, usage: TokenUsage, cost_usd: float | None) -> None:
        self._spent_usd += cost_usd or 0.0
        key = (reservation.role, reservation.model)
        bill = self._bills.get(key) or ModelBill(role=key[0], model=key[1])
        self._bills[key] = replace(
            bill,
            requests=bill.requests + 1,
            usage=bill.usage + usage,
            cost_usd=None if cost_usd is None else (bill.cost_usd or 0.0) + cost_usd,
        )
