"""Loading a policy: the server's verdict on a text, and the policy when it accepts it.

Source: k8s.io/apiserver/pkg/audit/policy/reader.go and k8s.io/apimachinery/pkg/runtime/serializer (v1.36): a strict
decoding whose remarks are only warnings, the version, then validation, then the number of rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.model.errors import PolicyError, UsageError
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.document import Decoder, DecodingError, Mark, Node, read_json, read_yaml
from kubewitness.policy.document.go_text import quoted
from kubewitness.policy.model import GroupResources, Places, Policy, PolicyRule
from kubewitness.policy.schema import INTERNAL_NAMES, POLICY
from kubewitness.policy.validate import findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.policy.document import Member

_GROUP = "audit.k8s.io"
_SCHEME = "k8s.io/apiserver/pkg/audit/scheme.go:30"
_OTHERS = frozenset("ListOptions GetOptions DeleteOptions CreateOptions UpdateOptions PatchOptions WatchEvent".split())
# Kinds that the server knows beside Policy, by version: it can decode, but not use them.
_REGISTERED = {
    "audit.k8s.io/v1": _OTHERS | {"Event", "EventList", "PolicyList"},
    "v1": _OTHERS | {"Status", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList"},
}
_HEAD = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_NO_VERSION = "couldn't get version/kind; json parse error: "


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a policy.

    Attributes:
        message: in the server's words.
        path: of the value, such as `rules[0].level`, or None.
        mark: where it stands, or None.
    """

    message: str
    path: str | None = None
    mark: Mark | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Loaded:
    """The server's verdict on a text.

    Attributes:
        policy: None when it refuses it.
        errors: why it refuses it, in its order.
        warnings: what it says of a policy that it loads all the same: unknown and duplicate names have no effect.
        strict_error: what its strict decoder says, in one line; None when nothing.
        places: where values and names stand; known also for a policy that is refused, as far as it could be read.
    """

    policy: Policy | None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    strict_error: str | None = None
    places: Places = field(default_factory=Places, compare=False, repr=False)

    @property
    def error(self) -> str | None:
        """The refusal in one line, as the server prints it."""
        texts = list(dict.fromkeys(_said(problem) for problem in self.errors))
        if not texts:
            return None
        return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def load_policy(data: bytes) -> Loaded:
    """The verdict on the text of a policy; nothing is raised."""
    try:
        return _load(data)
    except DecodingError as error:
        return _undecodable(error.message, error.mark)


def read_policy(path: str | Path) -> Loaded:
    """The verdict on a file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return load_policy(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error


def policy_of(loaded: Loaded, name: str) -> Policy:
    """The policy.

    Raises:
        PolicyError: the server would not load it; says where and why.
    """
    if loaded.policy is not None:
        return loaded.policy
    first, *others = loaded.errors
    where = f"{name}:{first.mark}" if first.mark else name
    more = f" (and {len(others)} more)" if others else ""
    raise PolicyError(
        f"kube-apiserver would not load this policy: {_said(first)}{more}",
        where=where,
        hint="kubewitness policy lint FILE shows all that is wrong with it",
    )


def _said(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def _undecodable(message: str, mark: Mark | None) -> Loaded:
    return Loaded(None, (Problem(f"failed decoding: {message}", None, mark),), strict_error=message)


def _load(data: bytes) -> Loaded:
    is_json = data.decode("utf-8", "replace").lstrip().startswith("{")
    strict: list[tuple[str, str | None, Mark]] = []
    remarks: list[str] = []
    if is_json:
        try:
            root = read_json(data.decode("utf-8", "replace"))
        except DecodingError as error:
            return _undecodable(_NO_VERSION + error.message, error.mark)
    else:
        text = read_yaml(data)
        root = text.node
        if text.duplicates:
            remarks.append("\n  ".join(["yaml: unmarshal errors:", *(said for said, _ in text.duplicates)]))
            strict += [(said.partition(": ")[2], None, mark) for said, mark in text.duplicates]
    version, kind = _version_and_kind(root, sort_names=not is_json)
    group, number = _split_version(version)
    if kind != "Policy" or (group, number) != (_GROUP, "v1"):
        return _other_kind(
            root, version, kind, remarks, is_internal=group in {"", _GROUP} and not number, sort_names=not is_json
        )
    decoder = Decoder(sort_names=not is_json)
    decoded = decoder.decode(POLICY, root)
    remarks += [said for said, _, _ in decoder.remarks]
    strict += [(said, path, mark) for said, path, mark in decoder.remarks]
    return _validated(decoded, decoder, tuple(Problem(*item) for item in strict), _strict_error(remarks))


def _strict_error(remarks: Sequence[str]) -> str | None:
    return f"strict decoding error: {', '.join(remarks)}" if remarks else None


def _version_and_kind(root: Node, *, sort_names: bool) -> tuple[str, str]:
    """The apiVersion and kind, whose names are looked for without regard to case."""
    match root.value:
        case None:
            return "", "Policy"
        case dict() as members:
            pass
        case other:
            kind = {str: "string", bool: "bool", list: "array"}.get(type(other), "number")
            raise DecodingError(f"{_NO_VERSION}json: cannot unmarshal {kind} into Go value of type {_HEAD}", root.mark)
    found = {"apiversion": "", "kind": ""}
    ordered = sorted(members.items()) if sort_names else list(members.items())
    wrong: DecodingError | None = None
    for name, member in ordered:
        folded = name.casefold()
        if folded not in found:
            continue
        for each in (*member.earlier, member):
            match each.node.value:
                case str() as text:
                    found[folded] = text
                case None:
                    pass
                case other:
                    shown = {bool: "bool", list: "array", dict: "object"}.get(type(other), "number")
                    go_name = "apiVersion" if folded == "apiversion" else "kind"
                    wrong = wrong or DecodingError(
                        f"{_NO_VERSION}json: cannot unmarshal {shown} into Go struct field .{go_name} of type string",
                        each.node.mark,
                    )
    if wrong is not None:
        raise wrong
    return found["apiversion"], found["kind"] or "Policy"


def _split_version(text: str) -> tuple[str, str]:
    """Group and version."""
    if text in {"", "/"}:
        return "", ""
    group, slash, version = text.partition("/")
    if "/" in version:
        raise DecodingError(f"unexpected GroupVersion string: {text}")
    return (group, version) if slash else ("", group)


def _other_kind(
    root: Node, version: str, kind: str, remarks: list[str], *, is_internal: bool, sort_names: bool
) -> Loaded:
    """The refusal of what is not an audit.k8s.io/v1 Policy."""
    mark = _mark_of(root, "kind" if kind != "Policy" else "apiVersion")
    if is_internal or version == f"{_GROUP}/__internal":
        if kind not in {"Policy", "PolicyList", "Event", "EventList"}:
            return _undecodable(
                f'no kind "{kind}" is registered for the internal version of group "{_GROUP}" in scheme "{_SCHEME}"',
                mark,
            )
        if kind == "Policy":
            members: dict[str, Member] = root.value if isinstance(root.value, dict) else {}
            names = sorted(members) if sort_names else members
            remarks += [f"unknown field {quoted(name)}" for name in names if name not in INTERNAL_NAMES]
            said = f"unknown group version field {_GROUP}/__internal, Kind=Policy in policy"
            return Loaded(None, (Problem(said, None, mark),), strict_error=_strict_error(remarks))
        return _undecodable(f"converting (audit.{kind}) to (audit.Policy): unknown conversion", mark)
    if version.endswith("/"):
        return _undecodable("Object 'apiVersion' is missing in the policy", mark)
    if kind in _REGISTERED.get(version, ()):
        return _undecodable(f"converting (v1.{kind}) to (audit.Policy): unknown conversion", mark)
    return _undecodable(f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"', mark)


def _mark_of(root: Node, name: str) -> Mark:
    if isinstance(root.value, dict) and name in root.value:
        return root.value[name].node.mark
    return root.mark


def _validated(
    decoded: dict[str, Any], decoder: Decoder, warnings: tuple[Problem, ...], strict_error: str | None
) -> Loaded:
    places = Places(decoder.places, decoder.names)
    errors = tuple(Problem(message, path, places.find(exact)) for path, message, exact in findings(decoded))
    if not errors and not decoded["rules"]:
        errors = (Problem("loaded illegal policy with 0 rules", None, places.find("rules")),)
    policy = None if errors else _policy(decoded, places)
    return Loaded(policy, errors, warnings, strict_error, places)


def _policy(decoded: dict[str, Any], places: Places) -> Policy:
    return Policy(
        rules=tuple(
            PolicyRule(
                level=Level(rule["level"]),
                users=tuple(rule["users"]),
                user_groups=tuple(rule["userGroups"]),
                verbs=tuple(rule["verbs"]),
                resources=tuple(
                    GroupResources(item["group"], tuple(item["resources"]), tuple(item["resourceNames"]))
                    for item in rule["resources"]
                ),
                namespaces=tuple(rule["namespaces"]),
                non_resource_urls=tuple(rule["nonResourceURLs"]),
                omit_stages=tuple(map(Stage, rule["omitStages"])),
                omit_managed_fields=rule["omitManagedFields"],
            )
            for rule in decoded["rules"]
        ),
        omit_stages=tuple(map(Stage, decoded["omitStages"])),
        omit_managed_fields=decoded["omitManagedFields"],
        places=places,
    )
