"""What the simulated axis answers: its error codes and the sentence that goes with a refusal."""

from dataclasses import dataclass
from enum import StrEnum


class AxisCode(StrEnum):
    """ErrorCode of the answer envelope: the closest published list, axis.md section 7."""

    OK = "0"
    BAD_FILE = "10"
    BAD_SIGNATURE = "15"
    UNKNOWN_RECEIVER = "18"
    UNREGISTERED_SENDER = "19"
    SYSTEM = "20"
    PROCESSING = "21"
    # wrong parameters and docIds that are not the caller's
    MALFORMED = "22"
    RECEIVER_LOCKED = "23"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The axis says no: a value, because refusing is one of its ordinary answers."""

    code: AxisCode
    sentence: str
    # ErrorDesc; ASCII, as the national SDK decodes answers as US-ASCII
