"""What is redacted and what stays readable: examples both ways, and properties over anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.alert.redact import MARK, Redactor, redact_body, redact_command, redact_text, redact_uri

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLWdvZXMtaGVyZQ"
RANDOM = "q7Rz2LmX9vKb4TnW8sHd3PfY"

READABLE_TEXTS = [
    "",
    "sh",
    'secrets "db-password" not found',
    'secret "db-password": not found',
    'secrets is forbidden: User "bob@contoso.com" cannot list resource "secrets" in API group ""',
    'serviceaccounts "token-cleaner" is forbidden: User "system:serviceaccount:a:token-cleaner" cannot',
    "invalid bearer token, token lookup failed",
    "registry.example.com/shop/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "mcr.microsoft.com/oss/kubernetes/pause:3.6",
    "0b1f6471-1bf0-4dda-aec3-cb9272f09590",
    "web-7d4b9c6f8-x2k4p",
    "ReplicaSet/web-7d4b9c6f8-x2k4p",
    "aks-agentpool-12345678-vmss000001",
    "/api/v1/namespaces/data/events/backup.18ea8f76a2ef9e87",
    "command-0f3c1d2e4b5a69788796a5b4c3d2e1f0",
    "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/MyGroup1/providers/Microsoft.Compute",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
    "kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9",
    "ValidatingAdmissionPolicyBindingList2",
    "X509SHA256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
]
READABLE_COMMANDS = [
    *READABLE_TEXTS,
    "sh -c ls /tmp",
    "curl http://169.254.169.254/metadata/instance?api-version=2021-02-01",
    "curl http://169.254.169.254/metadata/identity/oauth2/token?resource=https://management.azure.com/",
    "nsenter -t 1 -m -u -i -n -p sh",
    "cat /var/run/secrets/kubernetes.io/serviceaccount/token",
    "kubectl get secret db-password -o jsonpath={.data.password}",
    "kubectl --token=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token) get pods",
    "kubectl create token ci --audience=api --token-ttl=10m",
    "docker run -p 8080:80 web",
    "grep -r password /etc",
    "psql -U shop --no-password -c 'select 1'",
    "mysql -u root -p",
    "az acr login --password-stdin registry",
    "etcdctl --endpoints=https://127.0.0.1:2379 get /registry/secrets/kube-system --prefix",
    "crictl exec 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 ps",
]
SECRET_TEXTS = [
    (f"token {JWT} seen", f"token {MARK} seen"),
    (f"Authorization: Bearer {JWT}", f"Authorization: Bearer {MARK}"),
    ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: Basic {MARK}"),
    ("bearer abc123def456", f"bearer {MARK}"),
    ("password=hunter2", f"password={MARK}"),
    ("DB_PASSWORD=hunter2 run", f"DB_PASSWORD={MARK} run"),
    ('{"clientSecret": "hunter2"}', f'{{"clientSecret": "{MARK}"}}'),
    ("password: hunter", f"password: {MARK}"),
    ("postgres://shop:hunter2@db:5432/shop", f"postgres://shop:{MARK}@db:5432/shop"),
    ("AKIAIOSFODNN7EXAMPLE", MARK),
    (
        "https://x.blob.core.windows.net/c?sv=2022&sig=abcdefgh%3D&se=1",
        f"https://x.blob.core.windows.net/c?sv=2022&sig={MARK}&se=1",
    ),
    (
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=abc123==;EndpointSuffix=core.windows.net",
        f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={MARK};EndpointSuffix=core.windows.net",
    ),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- end", f"{MARK} end"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE cut", MARK),
    (f"echo {RANDOM}", f"echo {MARK}"),
    ("join 10.0.0.4:6443 abcdef.0123456789uvwxyz", f"join 10.0.0.4:6443 {MARK}"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", MARK),
    ("c3VwZXIrc2VjcmV0L3ZhbHVl+Zm9yOnRoZSBzaG9wLTEyMzQ1Njc4OTA=", MARK),
]
SECRET_COMMANDS = [
    *SECRET_TEXTS,
    ("mysql -u root -phunter2 shop", f"mysql -u root -p{MARK} shop"),
    ("/usr/bin/mysqldump -phunter2", f"/usr/bin/mysqldump -p{MARK}"),
    ("aws configure set aws_secret_access_key hunter2", f"aws configure set aws_secret_access_key {MARK}"),
    ("sshpass -p hunter2 ssh node", f"sshpass -p {MARK} ssh node"),
    ("sshpass -phunter2 ssh node", f"sshpass -p{MARK} ssh node"),
    ("redis-cli -a hunter2 ping", f"redis-cli -a {MARK} ping"),
    ("curl -u admin:hunter2 http://x", f"curl -u admin:{MARK} http://x"),
    ("docker login -u shop -p hunter2 registry", f"docker login -u shop -p {MARK} registry"),
    ("tool --password hunter2 --verbose", f"tool --password {MARK} --verbose"),
    ("tool --client-secret 'hunter2'", f"tool --client-secret {MARK}"),
    ("kubectl --token=abc get pods", f"kubectl --token={MARK} get pods"),
    (
        "kubectl create secret generic x --from-literal=user=shop",
        f"kubectl create secret generic x --from-literal=user={MARK}",
    ),
    (
        "kubectl create secret generic x --from-literal user=shop",
        f"kubectl create secret generic x --from-literal user={MARK}",
    ),
    ("echo root:hunter2 | chpasswd", f"echo root:{MARK} | chpasswd"),
]


@pytest.mark.parametrize("text", READABLE_TEXTS)
def test_ordinary_text_stays_readable(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("command", READABLE_COMMANDS)
def test_an_ordinary_command_stays_readable(command: str) -> None:
    assert redact_command(command) == command


@pytest.mark.parametrize(("text", "redacted"), SECRET_TEXTS)
def test_a_secret_in_text_is_redacted(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted


@pytest.mark.parametrize(("command", "redacted"), SECRET_COMMANDS)
def test_a_secret_in_a_command_is_redacted(command: str, redacted: str) -> None:
    assert redact_command(command) == redacted


@pytest.mark.parametrize(
    "uri",
    [
        "/api/v1/namespaces/shop/pods/web-0/exec?command=sh&command=-c&command=ls+%2Ftmp&stdin=true",
        "/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Ddb-password&limit=500",
        "/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTIzNDU2fQ&limit=500",
        "/apis/apps/v1/deployments?dryRun=All&fieldManager=kubectl-client-side-apply",
        "/healthz?",
        "",
    ],
)
def test_an_ordinary_uri_stays_as_it_is(uri: str) -> None:
    assert redact_uri(uri) == uri


@pytest.mark.parametrize(
    ("uri", "redacted"),
    [
        (
            "/x/exec?command=mysql&command=-phunter2&stdin=true",
            f"/x/exec?command=mysql&command=-p{MARK}&stdin=true",
        ),
        (
            "/x/exec?command=tool&command=--password&command=a+b",
            f"/x/exec?command=tool&command=--password&command={MARK}&command=b",
        ),
        (
            "/x/proxy/run?cmd=kubectl%20--token%3Dabc%20get",
            f"/x/proxy/run?cmd=kubectl&cmd=--token={MARK}&cmd=get",
        ),
        ("/x/proxy/api?access_%74oken=abc&v=1", f"/x/proxy/api?access_%74oken={MARK}&v=1"),
        ("/x/proxy/api?access_token=abc&v=1", f"/x/proxy/api?access_token={MARK}&v=1"),
        (f"/x/proxy/{JWT}?v=1", f"/x/proxy/{MARK}?v=1"),
        ("/x?url=https%3A%2F%2Fa%3Ab@c%2Fd", f"/x?url=https://a:{MARK}@c/d"),
    ],
)
def test_a_secret_in_a_uri_is_redacted(uri: str, redacted: str) -> None:
    assert redact_uri(uri) == redacted


BODIES: list[tuple[str, Any, Any]] = [
    (
        "a secret keeps its keys",
        {"kind": "Secret", "metadata": {"name": "db"}, "type": "Opaque", "data": {"user": "c2hvcA=="}},
        {"kind": "Secret", "metadata": {"name": "db"}, "type": "Opaque", "data": {"user": MARK}},
    ),
    (
        "a list of secrets, whose items have no kind",
        {"kind": "SecretList", "items": [{"data": {"a": "b"}}, {"stringData": {"c": "d"}}]},
        {"kind": "SecretList", "items": [{"data": {"a": MARK}}, {"stringData": {"c": MARK}}]},
    ),
    (
        "a configuration map stays readable but for what looks secret",
        {"kind": "ConfigMap", "data": {"mode": "fast", "DB_PASSWORD": "hunter2"}},
        {"kind": "ConfigMap", "data": {"mode": "fast", "DB_PASSWORD": MARK}},
    ),
    (
        "environment variables",
        {
            "env": [
                {"name": "API_TOKEN", "value": "abc"},
                {"name": "MODE", "value": "fast"},
                {"name": "TOKEN_URL", "value": "u"},
            ]
        },
        {
            "env": [
                {"name": "API_TOKEN", "value": MARK},
                {"name": "MODE", "value": "fast"},
                {"name": "TOKEN_URL", "value": "u"},
            ]
        },
    ),
    (
        "references to secrets",
        {
            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "db", "key": "token"}}}],
            "secretName": "db",
        },
        {
            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "db", "key": "token"}}}],
            "secretName": "db",
        },
    ),
    (
        "a token request",
        {
            "kind": "TokenRequest",
            "spec": {"audiences": ["api"], "expirationSeconds": 3600},
            "status": {"token": "abc"},
        },
        {
            "kind": "TokenRequest",
            "spec": {"audiences": ["api"], "expirationSeconds": 3600},
            "status": {"token": MARK},
        },
    ),
    (
        "arguments of a container",
        {"command": ["sh", "-c", "ls"], "args": ["--token", "abc", "--port", "80"]},
        {"command": ["sh", "-c", "ls"], "args": ["--token", MARK, "--port", "80"]},
    ),
    (
        "an operation of a patch on an environment",
        [
            {"op": "add", "path": "/spec/env/password", "value": "x"},
            {"op": "add", "path": "/spec/mode", "value": "x"},
        ],
        [
            {"op": "add", "path": "/spec/env/password", "value": MARK},
            {"op": "add", "path": "/spec/mode", "value": "x"},
        ],
    ),
    (
        "booleans and counts",
        {"automountServiceAccountToken": True, "tokens": 5},
        {"automountServiceAccountToken": True, "tokens": 5},
    ),
    ("a numeric password", {"password": 1234}, {"password": MARK}),
]


@pytest.mark.parametrize(("body", "redacted"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_bodies_lose_their_secrets_only(body: Any, redacted: Any) -> None:
    before = json.dumps(body)
    assert redact_body(body) == redacted
    assert json.dumps(body) == before


def test_a_patch_of_a_secret_is_known_by_its_resource() -> None:
    details = {"resource": "secrets", "request_object": '{"data": {"user": "c2hvcA==", "old": null}}'}
    redacted = Redactor().details(details)["request_object"]
    assert json.loads(redacted) == {"data": {"user": MARK, "old": None}}
    operations = {
        "resource": "secrets",
        "request_object": '[{"op":"replace","path":"/data/user","value":"c2hvcA=="}]',
    }
    assert "c2hvcA" not in Redactor().details(operations)["request_object"]


def test_the_last_applied_configuration_of_a_secret_is_redacted() -> None:
    applied = json.dumps({"kind": "Secret", "stringData": {"user": "shop"}})
    body = {
        "kind": "Secret",
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
    }
    assert "shop" not in json.dumps(redact_body(body))
    cut = {"kind": "Secret", "metadata": {"annotations": {"x": applied[:-3]}}}
    assert "shop" not in json.dumps(redact_body(cut))


def test_a_key_given_twice_hides_nothing() -> None:
    text = '{"kind": "Secret", "data": {"a": "first"}, "data": null}'
    assert "first" not in Redactor().details({"request_object": text})["request_object"]


def test_a_body_that_is_not_json_is_redacted_as_text() -> None:
    details = {
        "request_object": '{"password": "hunter2", "cut',
        "response_object": "skipped-too-big-size-object",
    }
    redacted = Redactor().details(details)
    assert "hunter2" not in redacted["request_object"]
    assert redacted["response_object"] == "skipped-too-big-size-object"


def test_reveal_shows_everything() -> None:
    details = {
        "exec_command": "mysql -phunter2",
        "resource": "secrets",
        "request_object": '{"data": {"a": "b"}}',
    }
    assert Redactor(reveal=True).details(details) == details
    assert Redactor().details(details)["exec_command"] == f"mysql -p{MARK}"


def test_identifiers_stay_as_they_are() -> None:
    details = {
        "username": "system:serviceaccount:shop:token",
        "name": "db-password",
        "groups": ["system:masters"],
        "code": 200,
        "allowed": True,
        "object_uid": "0b1f6471-1bf0-4dda-aec3-cb9272f09590",
        "annotations": '{"authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding x"}',
        "user_extra": {"authentication.kubernetes.io/credential-id": ["JTI=0b1f6471-1bf0-4dda-aec3-cb9272f09590"]},
    }
    assert Redactor().details(details) == details


def test_nesting_without_end_is_cut() -> None:
    value: Any = "x"
    for _ in range(5_000):
        value = {"a": value}
    redacted = redact_body(value)
    assert redact_body(redacted) == redacted
    assert MARK in json.dumps(redacted)


SNIPPETS = st.sampled_from(
    [
        *(
            "password",
            "token",
            "secret",
            "api-key",
            "Bearer ",
            "Authorization",
            "Cookie",
            "sig",
            "eyJ",
            "AKIA",
            "ghp_",
        ),
        *(
            "=",
            ":",
            "&",
            "?",
            " ",
            "--",
            "-p",
            "-u",
            "'",
            '"',
            "/",
            "%3D",
            "[redacted]",
            "[",
            "]",
            "{",
            "}",
            "\\",
            "\n",
        ),
        *(
            "mysql",
            "curl",
            "chpasswd",
            "sshpass",
            "--from-literal",
            "command=",
            "://",
            "@",
            "-----BEGIN A-----",
        ),
        *(
            JWT,
            RANDOM,
            "hunter2",
            "abcdef.0123456789uvwxyz",
            "$(",
            "Zx9",
            "LS0tLS1CRUdJTi",
            "pass:",
            "data",
            "Secret",
        ),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(SNIPPETS, max_size=12).map("".join))
KEYS = st.one_of(
    st.sampled_from(["kind", "data", "name", "value", "op", "path", "env", "args", "token", "items"]),
    st.text(),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS, st.just("Secret")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_redacting_text_again_changes_nothing(text: str) -> None:
    for redact in (redact_text, redact_command, redact_uri):
        once = redact(text)
        assert redact(once) == once


@settings(max_examples=100, deadline=None)
@given(JSON, st.booleans())
def test_redacting_a_body_again_changes_nothing(value: Any, is_secret: bool) -> None:
    once = redact_body(value, is_secret=is_secret)
    assert redact_body(once, is_secret=is_secret) == once


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["request_object", "annotations", "exec_command", "resource", "groups", "name"]), JSON
    )
)
def test_redacting_details_never_raises(details: dict[str, Any]) -> None:
    once = Redactor().details(details)
    assert Redactor().details(once) == once
    assert once.keys() == details.keys()


@pytest.mark.parametrize(
    "piece", ["a", "aA1", "password=", "-----BEGIN A-----", "eyJ", "x:", "/", "bearer ", "https://a:"]
)
def test_long_text_is_redacted_in_linear_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert len(redact_text(text)) <= len(text) + len(MARK) * len(text)


def test_labels_and_addresses_of_webhooks_lose_what_their_names_call_secret() -> None:
    details = {
        "object_labels": [f"contoso.com/api-token={RANDOM}", "secrets-store.csi.k8s.io/used=true", "app=token-cleaner"],
        "webhook_urls": [f"https://hook.contoso.com/x?token={RANDOM}&v=1", "https://hook.contoso.com/validate"],
    }
    assert Redactor().details(details) == {
        "object_labels": [f"contoso.com/api-token={MARK}", "secrets-store.csi.k8s.io/used=true", "app=token-cleaner"],
        "webhook_urls": [f"https://hook.contoso.com/x?token={MARK}&v=1", "https://hook.contoso.com/validate"],
    }
