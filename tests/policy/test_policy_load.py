from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kubewitness.model.errors import PolicyError
from kubewitness.policy.document import Mark
from kubewitness.policy.load import load_policy, policy_of, read_policy
from kubewitness.policy.model import Policy, PolicyRule

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
PACKED = (Path(__file__).parent / "data" / "validation.jsonl.zst").read_bytes()
VERDICTS = [json.loads(line) for line in zstandard.decompress(PACKED).splitlines()]


@pytest.mark.parametrize("sample", VERDICTS, ids=lambda sample: sample["id"])
def test_a_document_is_accepted_or_refused_in_the_servers_words(sample: dict[str, Any]) -> None:
    loaded = load_policy(sample["policy"].encode())
    assert (loaded.policy is not None) is sample["ok"]
    assert loaded.error == (sample["error"] or None)
    assert loaded.strict_error == (sample["strictError"] or None)
    assert loaded.policy is None or len(loaded.policy.rules) == sample["rules"]


def test_byte_order_marks_and_windows_line_ends_do_not_matter() -> None:
    text = HEAD + "rules:\n- level: Metadata\n"
    expected = load_policy(text.encode()).policy
    assert expected is not None
    for data in (
        b"\xef\xbb\xbf" + text.encode(),
        text.replace("\n", "\r\n").encode(),
        text.encode("utf-16"),
        b"\xef\xbb\xbf" + b'{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"Metadata"}]} # flow YAML',
    ):
        assert load_policy(data).policy == expected


# What a value in a list of users becomes: a text (accepted) or something else (refused).
@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("yesterday", "yesterday"),
        ("'yes'", "yes"),
        ("yes", None),
        ("Off", None),
        ("oFF", "oFF"),
        ("0o17", None),
        ("017", None),
        ("089", None),
        ("0b12", "0b12"),
        ("1_000", None),
        ("1__0", None),
        ("1e3", None),
        ("1e999", "1e999"),
        ("99999999999999999999999", None),
        ("0xFFFFFFFFFFFFFFFFFFFF", None),
        (".5", None),
        ("5.", None),
        ("+.5", None),
        (".", "."),
        ("+", "+"),
        ("12:30:45", "12:30:45"),
        ("2026-11-24", "2026-11-24"),
        ("2026-11-24 10:00:00", "2026-11-24 10:00:00"),
        ("!!str 5", "5"),
        ("!!int '5'", None),
        ("!!float x", None),
        ("!!binary aGk=", "hi"),
        ("!!binary '*'", None),
        ("! 5", None),
        ("! '5'", None),
        ("~", ""),
        ("<<", "<<"),
    ],
)
def test_scalars_are_those_of_yaml_1_1_as_the_server_sees_them(text: str, user: str | None) -> None:
    loaded = load_policy(f"{HEAD}rules:\n- level: None\n  users:\n  - {text}\n".encode())
    assert (loaded.policy and loaded.policy.rules[0].users) == (None if user is None else (user,))


@pytest.mark.parametrize(
    ("document", "is_loaded"),
    [
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}]} # no comments', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}]}\n\n', True),
        ('{"ApiVersion":"audit.k8s.io/v1","KIND":"Policy","rules":[{"level":"None"}]}', True),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None","users":["\\ud83d\\ude00\\ud800"]}]}', True),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None","users":["a\tb"]}]}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],"x":NaN}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],"x":01}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":null}]}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],"metadata":{"labels":{"a":1}}}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],"metadata":{"creationTimestamp":null}}', True),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],"metadata":{"creationTimestamp":"x"}}', False),
        ('{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None"}],"metadata":{"generation":1.5}}', False),
        ("a/b/c", False),
        ("apiVersion: a/b/c\nrules: [{level: None}]", False),
        ("%YAML 1.2\n---\napiVersion: audit.k8s.io/v1\nrules: [{level: None}]", False),
        ("apiVersion: audit.k8s.io/v1\nrules: [{level: None}]\n--- }", True),
        ("apiVersion: audit.k8s.io/v1\nrules: [{level: None}]\n}", False),
        ("apiVersion: audit.k8s.io/v1\nrules: [{level: None}]\n---\na: [", True),
        ("apiVersion: audit.k8s.io/v1\nrules: &r [{level: None, x: *r}]", False),
        ("apiVersion: audit.k8s.io/v1\nrules: [{<<: {level: None}}]", True),
        ("apiVersion: audit.k8s.io/v1\nrules: [{<<: [{level: None}, {level: bad}]}]", True),
        ("apiVersion: audit.k8s.io/v1\nrules: [{<<: 5, level: None}]", False),
        ("apiVersion: audit.k8s.io/v1\nrules: [{level: None, [a]: b}]", False),
        ("\x00", False),
        ("apiVersion: audit.k8s.io/v1\nrules: [{level: None, users: [system:, a:b:, 'x']}]", True),
        ("apiVersion: audit.k8s.io/v1\nrules: [{level: None, users: [what?]}]", False),
        ("apiVersion: audit.k8s.io/v1\nrules:\n- level: None\n  users:\n  - what?", True),
    ],
)
def test_what_is_left_of_the_grammar_decides_too(document: str, is_loaded: bool) -> None:
    assert (load_policy(document.encode()).policy is not None) is is_loaded


def test_a_merge_after_a_key_overrides_it_and_one_before_it_does_not() -> None:
    text = HEAD + "rules:\n- &a {level: None}\n- {<<: *a, level: Request}\n- {level: Request, <<: *a}\n"
    policy = load_policy(text.encode()).policy
    assert policy is not None
    assert [rule.level for rule in policy.rules] == ["None", "Request", "None"]


def test_a_name_twice_in_json_is_decoded_into_the_same_place() -> None:
    # encoding/json keeps of the first list what the second does not say: this policy still has its user.
    text = '{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"None","users":["a"]}],"rules":[{"level":"Request"}]}'
    loaded = load_policy(text.encode())
    assert loaded.policy is not None
    assert loaded.policy.rules == (PolicyRule(loaded.policy.rules[0].level, users=("a",)),)
    assert loaded.strict_error == 'strict decoding error: duplicate field "rules"'


def test_a_thousandfold_alias_is_refused_in_time() -> None:
    lines = [f"a0: &a0 [{', '.join(['x'] * 10)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    loaded = load_policy(("\n".join(lines) + "\n").encode())
    assert loaded.error == "failed decoding: yaml: document contains excessive aliasing"


def test_depth_without_end_is_refused() -> None:
    assert load_policy(b"a: " + b"[" * 50_000).policy is None
    assert load_policy(b'{"a":' + b"[" * 50_000).policy is None


@pytest.mark.parametrize("is_json", [False, True])
def test_problems_know_where_they_stand(is_json: bool) -> None:
    if is_json:
        text = (
            '{"apiVersion":"audit.k8s.io/v1",\n "rules":[\n  {"level":"bad", "user":[]},\n'
            '  {"level":"None","resources":[{},{"group":"A"}]}]}'
        )
    else:
        text = HEAD + "rules:\n- level: bad\n  user: []\n- level: None\n  resources:\n  - {}\n  - group: A\n"
    loaded = load_policy(text.encode())
    assert [(problem.path, problem.mark) for problem in loaded.errors] == [
        ("rules[0].level", Mark(3, 12) if is_json else Mark(4, 10)),
        ("rules[1].resources.group", Mark(4, 44) if is_json else Mark(9, 12)),
    ]
    assert [(problem.path, problem.mark) for problem in loaded.warnings] == [
        ("rules[0].user", Mark(3, 19) if is_json else Mark(5, 3))
    ]


def test_values_of_a_policy_know_where_they_stand() -> None:
    text = HEAD + "rules:\n- level: None\n  users: [a, b]\n"
    policy = load_policy(text.encode()).policy
    assert policy is not None
    assert policy.places.find("rules[0].users[1]") == Mark(5, 14)
    assert policy.places.find("rules[0].verbs[3]") == Mark(4, 3)
    assert policy.places.names["rules[0].users"] == Mark(5, 3)


def test_where_a_policy_stands_does_not_make_it_another() -> None:
    one = load_policy((HEAD + "rules: [{level: None}]\n").encode()).policy
    assert one == load_policy((HEAD + "\n\nrules:\n- level: None\n").encode()).policy
    assert isinstance(one, Policy)
    assert hash(one) == hash(Policy(one.rules))


def test_a_refused_policy_is_an_error_that_says_where(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(HEAD + "rules:\n- level: metadata\n- level: x\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        policy_of(read_policy(file), file.name)
    assert caught.value.where == "policy.yaml:4:10"
    assert "rules[0].level" in caught.value.message
    assert "(and 1 more)" in caught.value.message
