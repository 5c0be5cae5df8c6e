"""Which events an investigation is about, as predicates."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from kubewitness.model.errors import UsageError
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import And, InNetwork, Operator, Or, Predicate, Text

if TYPE_CHECKING:
    from kubewitness.investigate.object_names import ObjectName


def by_actor(name: str) -> Predicate:
    """Events that somebody is in, as who authenticated or as whom they acted; `*` and `?` are wildcards."""
    operator = Operator.LIKE if {"*", "?"} & set(name) else Operator.EQUALS
    columns = ("username", "impersonated_username")
    return Or(tuple(Text(find_field(column), operator, name) for column in columns))


def by_object(wanted: ObjectName) -> Predicate:
    """Events on an object and its subresources, also where the server made its name."""
    tests: list[Predicate] = [
        _is("resource", wanted.resource),
        Or((_is("name", wanted.name), _is("object_name", wanted.name))),
    ]
    if wanted.namespace:
        tests.append(_is("namespace", wanted.namespace))
    if wanted.group:
        tests.append(_is("api_group", wanted.group))
    return And(tuple(tests))


def by_namespace(name: str) -> Predicate:
    """Events in a namespace, and on the namespace itself."""
    return Or((_is("namespace", name), And((_is("resource", "namespaces"), _is("name", name)))))


def by_source(text: str) -> Predicate:
    """Events from an address, or from a network such as 203.0.113.0/24, as the server observed it.

    Raises:
        UsageError: it is neither.
    """
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise UsageError(f"`{text}` is no address", hint="write 203.0.113.7 or 203.0.113.0/24") from error
    return InNetwork(find_field("source_ip"), network)


def _is(column: str, value: str) -> Predicate:
    return Text(find_field(column), Operator.EQUALS, value)
