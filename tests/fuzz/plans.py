"""What is tried: a packet of the corpus, what is done to it, and how it is read. Hypothesis draws; a plan repeats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from tests.fuzz import mutate_bytes, mutate_contents, mutate_elements, mutate_json

CORPUS = Path(__file__).parent / "corpus"
CASES = Path(__file__).parents[1] / "cases" / "edxml"
SIZE_LIMIT = 2 * 1024 * 1024
"""Bytes of an input: mutations that double may not go on for ever."""

Mutation = Callable[[bytes, Random, Sequence[bytes]], bytes]
MUTATIONS: Sequence[Mutation] = (
    *mutate_bytes.MUTATIONS,
    *mutate_elements.MUTATIONS,
    *mutate_elements.MUTATIONS,
    *mutate_contents.MUTATIONS,
    *mutate_contents.MUTATIONS,
)
JSON_MUTATIONS: Sequence[Mutation] = (*mutate_bytes.MUTATIONS, *mutate_json.MUTATIONS)
CHUNKS = (1, 7, 64, 65, 1000, 4096, *[SIZE_LIMIT] * 12)


@dataclass(frozen=True, slots=True)
class Plan:
    """One drawing; numbers are taken modulo what there is."""

    packet: int
    target: int
    mutations: tuple[tuple[int, int], ...]
    """Each with the seed of its choices."""
    chunk: int
    """Bytes fed at a time."""
    tight: bool
    """True: read under tight limits."""


PLANS = st.builds(
    Plan,
    packet=st.integers(0, 255),
    target=st.integers(0, 255),
    mutations=st.lists(
        st.tuples(st.integers(0, len(MUTATIONS) - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=4
    ).map(tuple),
    chunk=st.sampled_from(CHUNKS),
    tight=st.integers(0, 7).map(lambda drawn: drawn == 7),
)


def corpus() -> tuple[bytes, ...]:
    """The packets to begin with: the corpus and every case of the reader's."""
    files = sorted(CORPUS.glob("*.edxml")) + sorted(CASES.glob("*/packet.edxml"))
    return tuple(file.read_bytes() for file in files)


def descriptions() -> tuple[bytes, ...]:
    """The same for documents described in JSON."""
    return tuple(file.read_bytes() for file in sorted(CORPUS.glob("*.json")))


def build(plan: Plan, packets: Sequence[bytes], *, salt: int = 0, mutations: Sequence[Mutation] = MUTATIONS) -> bytes:
    """The input of a plan; `salt` gives it brothers that differ in the choices alone."""
    data = packets[plan.packet % len(packets)]
    for kind, seed in plan.mutations:
        data = mutations[kind % len(mutations)](data or b"<", Random(seed + (salt << 32)), packets)
        if len(data) > SIZE_LIMIT:
            return data[:SIZE_LIMIT]
    return data
