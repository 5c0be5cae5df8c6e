"""The events table: one row per audit event, names = API names in snake_case.

Source: audit.k8s.io/v1 Event (kubernetes/apiserver types.go), plus provenance and the derived facts. Every
reader, rule, hunt and page of documentation takes the columns from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """What a column belongs to."""

    PROVENANCE = "provenance"
    EVENT = "event"
    USER = "user"
    OBJECT = "object"
    RESPONSE = "response"
    BODY = "body"
    FACT = "fact"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the events table.

    Attributes:
        name: snake_case name in the table.
        type: type in the engine (DuckDB's spelling).
        api: the API's own dotted name, or None where the API has none.
        group: what it belongs to.
        about: one sentence for people, without a full stop.
    """

    name: str
    type: str
    api: str | None
    group: Group
    about: str

    @property
    def is_list(self) -> bool:
        """Whether the column holds a list of values."""
        return self.type.endswith("[]")


def _columns(group: Group, *rows: tuple[str, str, str | None, str]) -> tuple[Column, ...]:
    return tuple(Column(name, type_, api, group, about) for name, type_, api, about in rows)


PROVENANCE = _columns(
    Group.PROVENANCE,
    ("cluster", "VARCHAR", None, "Cluster the event is from: resource id, path, log group, or --cluster"),
    ("source", "VARCHAR", None, "File the record was read from, `-` for standard input"),
    ("line", "BIGINT", None, "Line of the source on which the record begins, from 1"),
    ("truncated", "BOOLEAN", None, "Whether the record was cut, or its bodies replaced, before it got here"),
    ("logged_at", "TIMESTAMP", None, "Time the envelope gives (UTC), where there is an envelope"),
)

API = (
    *_columns(
        Group.EVENT,
        ("audit_id", "VARCHAR", "auditID", "Id of the request; clients may choose it"),
        ("level", "VARCHAR", "level", "Metadata, Request or RequestResponse"),
        ("stage", "VARCHAR", "stage", "RequestReceived, ResponseStarted, ResponseComplete or Panic"),
        ("verb", "VARCHAR", "verb", "Request verb; the lower-case HTTP method where there is no resource"),
        ("request_uri", "VARCHAR", "requestURI", "Path and query of the request"),
        (
            "request_received_at",
            "TIMESTAMP",
            "requestReceivedTimestamp",
            "When the server got the request (UTC)",
        ),
        ("stage_at", "TIMESTAMP", "stageTimestamp", "When the stage was reached (UTC)"),
        ("user_agent", "VARCHAR", "userAgent", "What the client says it is"),
        (
            "source_ips",
            "VARCHAR[]",
            "sourceIPs",
            "Addresses; only the last one is the server's own observation",
        ),
        (
            "annotations",
            "JSON",
            "annotations",
            "Authorization decision and reason, admission and other remarks",
        ),
        (
            "authentication_metadata",
            "JSON",
            "authenticationMetadata",
            "How the request was authenticated (Kubernetes 1.36 and newer)",
        ),
    ),
    *_columns(
        Group.USER,
        ("username", "VARCHAR", "user.username", "Who authenticated"),
        ("user_uid", "VARCHAR", "user.uid", "Uid of who authenticated"),
        ("groups", "VARCHAR[]", "user.groups", "Groups of who authenticated"),
        ("user_extra", "JSON", "user.extra", "Token id, pod and node of the token, Entra object id"),
        ("impersonated_username", "VARCHAR", "impersonatedUser.username", "Whom they acted as"),
        ("impersonated_uid", "VARCHAR", "impersonatedUser.uid", "Uid they acted as"),
        ("impersonated_groups", "VARCHAR[]", "impersonatedUser.groups", "Groups they acted as"),
        ("impersonated_extra", "JSON", "impersonatedUser.extra", "Extra values they acted with"),
    ),
    *_columns(
        Group.OBJECT,
        ("api_group", "VARCHAR", "objectRef.apiGroup", "API group; empty for the core group"),
        ("api_version", "VARCHAR", "objectRef.apiVersion", "API version of the object"),
        ("resource", "VARCHAR", "objectRef.resource", "Resource, in the plural"),
        ("subresource", "VARCHAR", "objectRef.subresource", "Subresource, such as exec, log, status, token"),
        ("namespace", "VARCHAR", "objectRef.namespace", "Namespace; null for cluster-wide requests"),
        ("name", "VARCHAR", "objectRef.name", "Name as the request gave it; see object_name"),
        ("object_uid", "VARCHAR", "objectRef.uid", "Uid of the object"),
        ("resource_version", "VARCHAR", "objectRef.resourceVersion", "Resource version of the object"),
    ),
    *_columns(
        Group.RESPONSE,
        ("code", "INTEGER", "responseStatus.code", "HTTP status code of the answer"),
        ("status", "VARCHAR", "responseStatus.status", "Success or Failure"),
        ("status_reason", "VARCHAR", "responseStatus.reason", "Machine-readable reason of a failure"),
        ("status_message", "VARCHAR", "responseStatus.message", "Message of a failure"),
    ),
    *_columns(
        Group.BODY,
        ("request_object", "JSON", "requestObject", "Request body as JSON text; for a patch, the patch"),
        ("response_object", "JSON", "responseObject", "Response body as JSON text"),
    ),
)

FACTS = _columns(
    Group.FACT,
    (
        "happened_at",
        "TIMESTAMP",
        None,
        "When it happened (UTC): received, else older timestamp, stage, envelope",
    ),
    ("actor", "VARCHAR", None, "Effective identity: whom the request acted as, else who authenticated"),
    ("actor_kind", "VARCHAR", None, "user, service_account, node, control_plane or anonymous"),
    ("actor_namespace", "VARCHAR", None, "Namespace that the actor belongs to, where it is a service account"),
    ("impersonated", "BOOLEAN", None, "Whether the request acted, or tried to act, as somebody else"),
    ("credential_id", "VARCHAR", None, "Id of the token (`JTI=...`) or certificate that the request came with"),
    ("bound_pod", "VARCHAR", None, "Pod that the token is bound to, as the token says"),
    ("bound_node", "VARCHAR", None, "Node that the token is bound to, as the token says"),
    ("issued_credential_id", "VARCHAR", None, "Id of the token that the request was answered with; see credential_id"),
    ("user_agent_family", "VARCHAR", None, "Program that user_agent names, without its version"),
    ("source_ip", "VARCHAR", None, "The one address that the server observed itself (the last)"),
    (
        "source_network",
        "VARCHAR",
        None,
        "Network of source_ip: /24 of an IPv4 address, /48 of an IPv6 address",
    ),
    ("source_is_private", "BOOLEAN", None, "Whether source_ip is private, loopback or link-local"),
    ("request_path", "VARCHAR", None, "Request URI without its query"),
    ("action", "VARCHAR", None, "What the request was for, by either verb: see the list of actions"),
    ("exec_command", "VARCHAR", None, "Command of an exec, out of the URI, its words joined by spaces"),
    ("exec_container", "VARCHAR", None, "Container of an exec or attach, out of the URI"),
    ("dry_run", "BOOLEAN", None, "Whether the request asked not to be carried out"),
    ("allowed", "BOOLEAN", None, "Whether it was authorised: the decision, else what the code proves"),
    ("succeeded", "BOOLEAN", None, "Whether it succeeded, as the answer says: code 101 or 2xx"),
    (
        "carried_out",
        "BOOLEAN",
        None,
        "Whether it was carried out: as succeeded; without an answer, when nothing says no",
    ),
    (
        "authorized_by",
        "VARCHAR",
        None,
        "What allowed it, for people: binding, Azure role assignment, system:masters",
    ),
    ("authorized_binding", "VARCHAR", None, "Binding or role assignment that allowed it"),
    ("authorized_role", "VARCHAR", None, "Role that allowed it"),
    ("object_name", "VARCHAR", None, "Name of the object, also where the server generated it"),
    ("generate_name", "VARCHAR", None, "What the request wants the name to begin with that the server generates"),
    ("owner_kind", "VARCHAR", None, "Kind of the controller that owns the object"),
    ("owner_name", "VARCHAR", None, "Name of the controller that owns the object"),
    ("privileged", "BOOLEAN", None, "Whether any container is privileged"),
    ("host_pid", "BOOLEAN", None, "Whether the pod shares the node's process ids"),
    ("host_ipc", "BOOLEAN", None, "Whether the pod shares the node's IPC"),
    ("host_network", "BOOLEAN", None, "Whether the pod shares the node's network"),
    ("host_paths", "VARCHAR[]", None, "Paths of the node that the pod mounts, without trailing slash"),
    ("capabilities", "VARCHAR[]", None, "Linux capabilities that any container adds, without CAP_"),
    ("images", "VARCHAR[]", None, "Images of all containers"),
    ("service_account", "VARCHAR", None, "Service account that the pod runs as"),
    (
        "pod_commands",
        "VARCHAR[]",
        None,
        "Commands of each container, of its hooks and of its probes, with their arguments joined by spaces",
    ),
    ("container_names", "VARCHAR[]", None, "Names of all containers"),
    ("image_registries", "VARCHAR[]", None, "Registries of the images; `docker.io` where an image names none"),
    ("registry_list", "VARCHAR", None, "The same joined by spaces, to ask something of all of them"),
    ("allow_privilege_escalation", "BOOLEAN", None, "Whether any container may gain more rights than its parent"),
    ("runs_as_root", "BOOLEAN", None, "Whether the pod or a container asks for user 0, or allows it (runAsNonRoot)"),
    ("share_processes", "BOOLEAN", None, "Whether the pod's containers share their process ids"),
    ("host_process", "BOOLEAN", None, "Whether the pod or a container is a Windows HostProcess container"),
    (
        "unconfined",
        "VARCHAR[]",
        None,
        "Protections that the pod turns off: `seccomp`, `apparmor`, `selinux`, `proc` (unmasked /proc)",
    ),
    ("sysctls", "VARCHAR[]", None, "Kernel parameters that the pod sets"),
    ("host_ports", "VARCHAR[]", None, "Ports of the node that containers bind"),
    ("writable_host_paths", "VARCHAR[]", None, "Those of host_paths that are not mounted read-only"),
    ("node_name", "VARCHAR", None, "Node that the pod names itself, or runs on"),
    ("node_selector", "VARCHAR[]", None, "Labels that the pod's node must have, as `key=value`"),
    ("tolerations", "VARCHAR[]", None, "Keys of taints that the pod tolerates; `*` for any"),
    ("role_verbs", "VARCHAR[]", None, "Verbs that the role's rules grant"),
    ("role_resources", "VARCHAR[]", None, "Resources that the role's rules name"),
    ("role_api_groups", "VARCHAR[]", None, "API groups that the role's rules name"),
    (
        "role_grants",
        "VARCHAR[]",
        None,
        "Each rule of the role as one text, `verbs ,get,list, groups ,, resources ,secrets, names , urls ,`",
    ),
    ("role_ref_kind", "VARCHAR", None, "Role or ClusterRole that a binding gives"),
    ("role_ref", "VARCHAR", None, "Name of the role that a binding gives"),
    ("subjects", "VARCHAR[]", None, "To whom a binding gives it: `User x`, `Group x`, `ServiceAccount ns/x`"),
    ("service_type", "VARCHAR", None, "Type of a service: ClusterIP, NodePort, LoadBalancer or ExternalName"),
    (
        "external_ips",
        "VARCHAR[]",
        None,
        "External addresses that a service takes: externalIPs; in its status, the load balancer's",
    ),
    ("external_name", "VARCHAR", None, "DNS name that a service of type ExternalName stands for"),
    ("service_selector", "VARCHAR[]", None, "Labels of the pods that a service leads to, as `key=value`"),
    ("service_ports", "VARCHAR[]", None, "Ports that a service opens, and ports that they lead to"),
    ("source_ranges", "VARCHAR[]", None, "Networks that may reach a service through its load balancer"),
    (
        "load_balancer_internal",
        "BOOLEAN",
        None,
        "Whether an annotation keeps a service's load balancer off the internet",
    ),
    ("ingress_tls", "BOOLEAN", None, "Whether an ingress has TLS; null for a patch that leaves it as it was"),
    ("config_data", "VARCHAR", None, "Data that a write puts into a config map, as JSON text"),
    ("replicas", "INTEGER", None, "Number of pods that a write asks of a workload, also through its scale"),
    ("unschedulable", "BOOLEAN", None, "Whether a write closes a node to new pods (cordon)"),
    ("patched_spec", "VARCHAR[]", None, "Keys of `spec` that a patch of a service, node or workload sets"),
    ("object_labels", "VARCHAR[]", None, "Labels of the written object, as `key=value`"),
    ("patch_operations", "VARCHAR[]", None, "Operations of a JSON Patch, as `add /metadata/labels/a`"),
    ("removed_labels", "VARCHAR[]", None, "Keys of labels that a patch takes away; `*` for all"),
    ("object_annotations", "VARCHAR[]", None, "Annotations of the written object, as `key=value`"),
    ("webhook_urls", "VARCHAR[]", None, "Addresses outside the cluster that admission webhooks call"),
    ("webhook_services", "VARCHAR[]", None, "Services that admission webhooks call, as `namespace/name`"),
    ("webhook_resources", "VARCHAR[]", None, "Resources that admission webhooks ask for"),
    ("webhook_failure_policies", "VARCHAR[]", None, "What happens when a webhook fails: Ignore or Fail"),
    ("certificate_signer", "VARCHAR", None, "Signer that a certificate request names"),
    ("certificate_usages", "VARCHAR[]", None, "Key usages that a certificate request asks for"),
    ("certificate_subject", "VARCHAR[]", None, "Subject of a certificate request: `CN x`, `O x`"),
    ("volume_node_paths", "VARCHAR[]", None, "Paths of a node that a persistent volume stands for"),
    (
        "service_accounts",
        "VARCHAR[]",
        None,
        "Service accounts that a request makes, binds, runs pods as or makes tokens for, by their user names",
    ),
)

COLUMNS = (*PROVENANCE, *API, *FACTS)
BY_NAME = {column.name: column for column in COLUMNS}
BY_API = {column.api: column for column in API if column.api is not None}


class Action(StrEnum):
    """Values of the fact `action`. Source: subresources and verbs of the Kubernetes API."""

    EXEC = "exec"
    ATTACH = "attach"
    PORT_FORWARD = "port_forward"
    PROXY = "proxy"
    TOKEN_REQUEST = "token_request"  # noqa: S105 - the name of an action
    EVICT = "evict"
    EPHEMERAL_CONTAINER = "ephemeral_container"
    APPROVE = "approve"
    BIND = "bind"
    ESCALATE = "escalate"
    IMPERSONATE = "impersonate"


class ActorKind(StrEnum):
    """Values of the fact `actor_kind`."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"
    NODE = "node"
    CONTROL_PLANE = "control_plane"
    ANONYMOUS = "anonymous"


CONTROL_PLANE_NAMES = frozenset(
    "system:apiserver system:kube-controller-manager system:kube-scheduler system:kube-proxy"
    " system:cloud-controller-manager aksService hcpService acsService readinessChecker eks:cloud-controller-manager"
    " eks:k8s-metrics eks:addon-manager eks:node-manager".split()
)
"""Users whose `actor_kind` is control_plane; facts/sql/requests.sql has the same list."""
