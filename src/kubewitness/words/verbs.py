"""The few words of grammar that the sentences need: "opened a shell" -> "tried to open a shell"."""

from __future__ import annotations

import re

# Past tense and infinitive, where the one does not follow from the other by the rules below.
_IRREGULAR = """
ran run, read read, gave give, took take, made make, got get, set set, put put, sent send, began
begin, hid hide, wrote write, built build, bound bind, came come, went go, let let, left leave,
broke break, found find, held hold, cut cut, copied copy, modified modify, applied apply, tried try,
queried query, denied deny, overrode override, overwrote overwrite, became become, stole steal,
brought bring, kept keep, paid pay, did do, had have, was be, led lead, saw see, lost lose, stood stand,
met meet, fell fall, dealt deal, spent spend, told tell, wound wind, drew draw, tore tear
"""
# Infinitives in -e.
_SILENT_E = """
acquire approve assume authenticate authorise authorize change configure create decode delete
disable elevate enable encode enumerate erase escalate evade exchange execute exfiltrate expose
force generate handle impersonate invoke isolate issue ensure enforce lease manage merge migrate
move mutate mute name place probe promote prove provide prune purge queue raise receive redefine
reduce release remove rename replace resolve restore retrieve reuse revoke rotate save scale
schedule serve share silence stage store substitute surface trace truncate undelete update use
validate wipe
"""

_INFINITIVES = {
    **{infinitive + "d": infinitive for infinitive in _SILENT_E.split()},
    **{pair.split()[0]: pair.split()[1] for pair in _IRREGULAR.split(",")},
}
_REGULAR = re.compile(r"(?P<stem>[a-z]+)ed")
_DOUBLED = re.compile(r"(?P<stem>[a-z]*[aeiou](?P<last>[bgmnprt]))(?P=last)")


def infinitive(past: str) -> str | None:
    """Give the infinitive of a verb in the past tense; None when the word does not look like one."""
    if past in _INFINITIVES:
        return _INFINITIVES[past]
    regular = _REGULAR.fullmatch(past)
    if regular is None:
        return None
    doubled = _DOUBLED.fullmatch(regular["stem"])
    return doubled["stem"] if doubled else regular["stem"]


def as_attempt(phrase: str) -> str:
    """Turn "opened a shell" into "tried to open a shell"."""
    first, _, rest = phrase.partition(" ")
    verb = infinitive(first)
    return f"tried to {verb} {rest}".rstrip() if verb else f"made a request that would have {phrase}"
