"""From the names that rules use to columns."""

from __future__ import annotations

import pytest

from kubewitness.model.event import API, BY_NAME, FACTS
from kubewitness.query.fields import UnknownFieldError, find_field

FOUND = [
    ("verb", "verb", ()),
    ("auditID", "audit_id", ()),
    ("objectRef.resource", "resource", ()),
    ("objectRef", "resource", ()),
    ("user", "username", ()),
    ("user.username", "username", ()),
    ("impersonatedUser", "impersonated_username", ()),
    ("responseStatus", "code", ()),
    ("requestObject", "request_object", ()),
    ("requestObject.kind", "request_object", ("kind",)),
    ("responseObject.items.metadata.name", "response_object", ("items", "metadata", "name")),
    ("annotations.authorization.k8s.io/reason", "annotations", ("authorization.k8s.io/reason",)),
    (
        "user.extra.authentication.kubernetes.io/pod-name",
        "user_extra",
        ("authentication.kubernetes.io/pod-name",),
    ),
    ("impersonatedUser.extra.x", "impersonated_extra", ("x",)),
    (
        "authenticationMetadata.impersonationConstraint",
        "authentication_metadata",
        ("impersonationConstraint",),
    ),
    ("apiGroup", "api_group", ()),
    ("hostPath", "host_paths", ()),
    ("exec_command", "exec_command", ()),
    ("username", "username", ()),
]


@pytest.mark.parametrize(("name", "column", "path"), FOUND)
def test_a_name_finds_its_column(name: str, column: str, path: tuple[str, ...]) -> None:
    field = find_field(name)
    assert (field.name, field.column.name, field.path) == (name, column, path)


def test_every_column_of_the_api_is_found_by_both_its_names() -> None:
    for column in API:
        assert column.api is not None
        assert find_field(column.api).column is find_field(column.name).column is column


def test_every_fact_is_found() -> None:
    assert all(find_field(fact.name).column is BY_NAME[fact.name] for fact in FACTS)


UNKNOWN = [
    ("objectRef.resorce", "did you mean `objectRef.resource`?"),
    ("objectref.resource", "did you mean `objectRef.resource`?"),
    ("Verb", "did you mean `verb`?"),
    ("requestUri", "did you mean `requestURI`?"),
    ("user.name", "did you mean `username`?"),
    ("apiVersion", "did you mean `objectRef.apiVersion`?"),
    ("exec_comand", "did you mean `exec_command`?"),
    ("xyzzy.plugh", "the API's dotted names"),
    ("", "the API's dotted names"),
    ("requestObject.", "`requestObject`"),
]


@pytest.mark.parametrize(("name", "hint"), UNKNOWN)
def test_an_unknown_name_gets_a_hint(name: str, hint: str) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        find_field(name)
    assert f"`{name}`" in caught.value.message
    assert caught.value.hint is not None
    assert hint in caught.value.hint
