"""What a recipe for one kind of event is, and a book of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cluster import Cluster
from benchmarks.objects import Json

FULL = "RequestResponse"
META = "Metadata"
Make = Callable[[Cluster], Json]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of event.

    Attributes:
        name: what happens.
        weight: how often, in 10,000 events.
        make: builds one variant of the event; called `variants` times.
        variants: how many different templates to prepare.
        lasts_s: shortest and longest time between ResponseStarted and ResponseComplete, for requests that
            stay open; None for the rest, which have one event.
    """

    name: str
    weight: float
    make: Make
    variants: int = 24
    lasts_s: tuple[float, float] | None = None


class Book(list[Recipe]):
    """Recipes in the order in which they were written down."""

    def recipe(
        self, weight: float, *, variants: int = 24, lasts_s: tuple[float, float] | None = None
    ) -> Callable[[Make], Make]:
        """Decorate a function that makes one variant; its name becomes the recipe's."""

        def write_down(make: Make) -> Make:
            self.append(Recipe(make.__name__, weight, make, variants, lasts_s))
            return make

        return write_down
