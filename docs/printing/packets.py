"""docs/edxml.md: the packet format as the gateway reads and writes it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from gateway.domain.dialect import DIALECTS, NATIONAL, Dialect, Shape, StatusContainer, TypePractice
from gateway.domain.lengths import LENGTHS
from gateway.settings import AxisSettings, LimitSettings, SoapSettings, VxpSettings
from gateway.translate.edxml.codes import ADMINISTRATIVE_NAMES, NORMATIVE_NAMES, NS102, RAW_EXTENSIONS
from gateway.translate.edxml.findings import SENTENCES, Defect, Deviation, Tolerance
from gateway.xmlsafe import MIB, Limits, XmlFault
from printing import facts
from printing.tables import NOTE, table, words_under

_INTRODUCTION = f"""
# edXML packets

The packet format of QCVN 102:2016/BTTTT with Amendment 1:2022, as deployed systems write it and as this gateway
reads and writes it. It was written from facts about those systems, not from the standard's full text.

Numbers in brackets, as in (1.3), are sections of the project's fact sheet. Who is meant by the letters there:

| | |
|---|---|
| STD, D30 | the standard and its amendment; Decree 30/2020/ND-CP, Appendix VI |
| JSDK, NSDK | the national Java SDK and packets made with it; the .NET SDK |
| BKV | Bkav's provincial axis |
| RET | packets as the national axis handed them back, 2019 and 2025 |
| sure, likely, guess | two independent sources or the national SDK itself; one good source; inference |

## A strange packet in hand

```sh
lgsp-gateway packet inspect FILE            # what it is, and what is odd about it; --json for programs
lgsp-gateway packet check FILE              # everything that should be written otherwise
lgsp-gateway packet extract FILE -d DIR     # its attachments, decoded and unwrapped, under safe names
lgsp-gateway packet build FILE.json -o OUT  # the other way: a packet from a Document in JSON
```

`inspect` ends with one of the [refusals](#refused), or with a document or status and its
[warnings](#read-all-the-same); its JSON holds the whole document in the words of the contract (of a status, who sends
it and what it is about stand beside, as `from` and `response_for`). `check` lists the
[deviations](#not-written-as-deployed-systems-expect) instead, each at its place, and of the warnings those that have
no code among them. Every finding is a code, the path of the element and a sentence; words in braces below stand for
what was found. Exit codes: 0 read (`check`: nothing to say), 2 refused (`check`: or something to say), 64 wrong usage,
1 something else failed, such as a full disk. `--config FILE` takes the limits of a configuration.

`build` takes the [JSON mapping of the contract's Document](vendors.md#packets-without-a-gateway) and warns of
`NOT_STANDARD` (the standard or SubmitDocument wants it otherwise; it is written all the same), `NOT_CARRIED` (a reader
of the packet would find something else than was given: white space around a text is lost, for one, and what only the
gateway says, such as `deliveries`) and `LEGAL_LENGTH_EXCEEDED`. `extract` writes all files or
none, and never over a file that is there (`FILE_EXISTS`). `packet original ACCOUNT AXIS_DOC_ID --config FILE -o OUT`
gives back what the gateway received, byte for byte.

Nothing of a packet is ever repaired silently: either it reads as it is, or with a warning, or it is refused whole.

The same forms as XSD 1.0, ours and no one else's: [strict](schemas/edxml-strict.xsd),
[tolerant](schemas/edxml-tolerant.xsd).

## What a packet is

One XML file, UTF-8, extension `.edxml`. The root `edXML` has the default namespace
`{NS102}` (NS102) and holds

* `edXML:edXMLEnvelope`, which binds the prefix `edXML` to the same namespace: a header with `MessageHeader` (from
  whom, to whom, number, date, kind, subject, signer), `TraceHeaderList` (one `TraceHeader` per hop, and the block
  `Bussiness`: new, recall, update or replacement; the misspelling is the standard's) and perhaps a signature; and a
  body that lists attachments as `Reference`;
* `AttachmentEncoded`, unprefixed: one `Attachment` per file, its bytes as base64 in `ContentTransferEncoded`. A
  Reference and its Attachment have the same `ContentId`.

A *status* (trạng thái xử lý) is a header alone: who reports (`From`), on which document (`ResponseFor`),
`StatusCode`, `Description`, `Timestamp`. It has no `To`: it goes to `ResponseFor/OrganId`. `StatusCode` makes a
packet a status.

**Read** is by namespace and local name: any prefix, any order; an empty element is an absent one. **Written** are
the standard's order, no empty element, and the prefix `edXML:` literally on everything inside the envelope and on
nothing outside but `ContentTransferEncoded`: a packet that is right by XML's rules but without that text has been
refused on the national side (1.2). Files other than {", ".join(sorted(RAW_EXTENSIONS - {"xsl", "xslx"}))} travel
alone in a ZIP (4). The gateway appends its own TraceHeader; where its own code already stands in the trace, the
packet is not written.
"""


def packets_page() -> str:
    """The whole page."""
    lines = [
        NOTE + _INTRODUCTION,
        *_refusals(),
        *_tolerances(),
        *_deviations(),
        *_limits(),
        *_dialects(),
        *_guesses(),
        *_lengths(),
        *_code_lists(),
    ]
    return "\n".join(lines)


def _refusals() -> list[str]:
    defects = [(f"`{code}`", _sentence(code), facts.DEFECTS[code]) for code in Defect]
    faults = [(f"`{fault}`", facts.XML_FAULTS[fault]) for fault in XmlFault]
    return [
        "## Refused",
        "",
        "Such a packet is quarantined whole, the axis is told `fail`, and its neighbours go on. One larger than",
        "`limits.packet_bytes` is not taken in at all: it waits at the axis until the limit is raised.",
        "",
        *table(("code", "sentence", "who sends it, or why it cannot be read"), defects),
        "Below the format's surface, a packet is refused for its XML:",
        "",
        *table(("code", "meaning"), faults),
    ]


def _tolerances() -> list[str]:
    rows = [(f"`{code}`", _sentence(code), *facts.TOLERANCES[code]) for code in Tolerance]
    return [
        "## Read all the same",
        "",
        "`warnings` of a ReceivedDocument and of `packet inspect`. What a packet may do at hundreds of places (order,",
        "empty elements) is said once, at the first of them.",
        "",
        *table(("code", "sentence", "what is done", "met at"), rows),
    ]


def _deviations() -> list[str]:
    rows = [(f"`{code}`", _sentence(code), facts.DEVIATIONS[code]) for code in Deviation]
    return [
        "## Not written as deployed systems expect",
        "",
        "Only `packet check` says these, besides what it takes from the list above.",
        "",
        *table(("code", "sentence", "source"), rows),
    ]


def _sentence(code: StrEnum) -> str:
    return SENTENCES[code].replace("<", "&lt;")


_LIMIT_KEYS: Mapping[str, str] = {
    "attachment": "attachment_bytes",
    "packet": "packet_bytes",
    "inflated": "inflated_bytes",
    "ratio": "inflate_ratio",
    "attachments": "attachments",
    "recipients": "recipients",
    "depth": "depth",
    "header": "header_bytes",
}
"""Fields of Limits that are settings, and their keys in [limits]."""


def _limits() -> list[str]:
    words, usual = words_under(Limits), Limits()
    rows = []
    for name, meaning in words.items():
        key = _LIMIT_KEYS.get(name, "")
        assert not key or LimitSettings.model_fields[key].default == getattr(usual, name), name
        rows.append((meaning, _size(getattr(usual, name)), f"`{key}`" if key else "fixed"))
    return [
        "## Limits",
        "",
        "The same in the service and on the command line. A peer that takes less has `max_packet_bytes` of its axis",
        "account; a document that cannot fit is refused when it is submitted.",
        "",
        *table(("what", "default", "key of [limits]"), rows),
    ]


def _size(value: int) -> str:
    return f"{value // MIB} MiB" if value >= MIB else f"{value:,}"


def _dialects() -> list[str]:
    words = words_under(Dialect)
    rows = []
    for name, meaning in words.items():
        key = f"`{name}`" if name in AxisSettings.model_fields else "-"
        values = [_word(getattr(dialect, name)) for dialect in DIALECTS.values()]
        rows.append((key, name.replace("_", " "), *values, _cited(meaning) or "see below"))
    lines = [
        "## Dialects",
        "",
        f"How one peer wants its packets: `dialect` of `[axis.NAME]` names a preset, by default `{_preset(NATIONAL)}`",
        f"(an account of kind `soap`: `{SoapSettings.model_fields['dialect'].default}`); the keys below change single",
        "habits of it. Every form of every peer is read, whatever the dialect; only",
        "`receiver_added` and `priority_five_is_normal` also say what a received value means.",
        "",
        *table(("key", "habit", *(f"`{name}`" for name in DIALECTS), "meaning"), rows),
    ]
    for kind in (Shape, StatusContainer, TypePractice):
        said = words_under(kind)
        lines += [_cited(kind.__doc__ or ""), ""]
        lines += [f"* `{member.value}`{': ' if said[member.name] else ''}{said[member.name]}" for member in kind]
        lines.append("")
    return lines


def _cited(words: str) -> str:
    """The words without the fact sheet's name, which the page gives once."""
    return words.strip().replace("edxml.md ", "")


def _word(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case StrEnum():
            return f"`{value}`"
        case Mapping():
            return f"{len(value)} less" if value else "as below"
        case _:
            return str(value)


def _preset(dialect: Dialect) -> str:
    return next(name for name, preset in DIALECTS.items() if preset == dialect)


def _guesses() -> list[str]:
    rows = []
    for unknown, guess, key in facts.GUESSES:
        default = _word(getattr(NATIONAL, key, VxpSettings.model_fields[key].default)) if key else "-"
        rows.append((unknown, guess, f"`{key}`" if key else "none", default))
    return [
        "## Guesses and settings",
        "",
        "What no source says for certain, what the gateway assumes, and the key of `[axis.NAME]` that changes it.",
        "",
        *table(("not known", "assumed", "key", "default"), rows),
    ]


def _lengths() -> list[str]:
    rows = []
    for field, length in LENGTHS.items():
        takes = [DIALECTS[name].limit(field) for name in ("national", "bkav")]
        rows.append((f"`{field}`", length.element, length.legal or "-", *takes, length.source))
    return [
        "## Lengths",
        "",
        "In characters. More than the *legal* length is a warning; more than the peer takes is refused before",
        "acceptance when sending, and read all the same when receiving. Nothing is ever cut. ND30 = Decree",
        "30/2020/ND-CP, A1 = Amendment 1:2022, UNI = a university's receiver table, VOF = Viettel VOffice, own =",
        "no source is known.",
        "",
        *table(("field of the contract", "element", "legal", "national, dotnet", "bkav", "source"), rows),
    ]


def _code_lists() -> list[str]:
    lists: tuple[tuple[str, Iterable[tuple[object, str]]], ...] = (
        ("Priority (độ khẩn)", facts.PRIORITIES.items()),
        ("BussinessDocType", facts.BUSINESS_TYPES.items()),
        ("SteeringType", facts.STEERING.items()),
        ("StatusCode", facts.STATUSES.items()),
    )
    lines = [
        "## Code lists",
        "",
        "A value outside the first four lists is kept, shown and warned of when received, and refused when sent. Of",
        "kinds of documents any number is taken, both ways: their name counts.",
        "",
    ]
    for title, values in lists:
        lines += [f"**{title}**: {_listed(values)}.", ""]
    guessed = {number: f"*{name}*" for number, name in facts.INFERRED_NAMES.items()}
    administrative = sorted((dict(ADMINISTRATIVE_NAMES) | guessed).items())
    lines += [
        "**Kinds of documents** (loại văn bản; annex of Amendment 1:2022, two lists, each numbered from 1; 2.1). Write",
        "Type = the class, TypeDetail = the number in its list, TypeName = the name; a Type of 3 and above is met as a",
        "number of list B.",
        "",
        f"A, class 1, legal normative: {_listed(enumerate((*NORMATIVE_NAMES, facts.LAST_NORMATIVE_NAME), start=1))}.",
        "",
        f"B, class 2, administrative, *inferred numbers slanted*: {_listed(administrative)}.",
        "",
    ]
    return lines


def _listed(values: Iterable[tuple[object, str]]) -> str:
    return ", ".join(f"{key:d} {name}" if isinstance(key, int) else f"{key} {name}" for key, name in values)
