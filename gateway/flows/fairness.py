"""Who goes next: the urgent, but now and then whoever has waited longest. Pure."""

FAIR_EVERY = 4
"""Each place of this number is given by waiting time alone, so that no flood of urgent messages starves the others."""


def by_waiting(given: int, places: int) -> int:
    """How many of the next `places` places go by waiting time, `given` places having been given before."""
    return (given + places) // FAIR_EVERY - given // FAIR_EVERY
