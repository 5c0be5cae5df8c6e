"""Columns derived from one event, as SQL in the engine: each file of `sql/` is one floor above the one before."""

from __future__ import annotations

from importlib.resources import files

# Each reads from the one before it; the last one is the events table.
FLOORS = (
    "requests", "authorizations", "objects", "parts", "pods", "roles", "settings", "network", "admission",
    "certificates", "events",
)  # fmt: skip


def macros() -> str:
    """SQL that defines the functions `kw_*`; run it once per connection."""
    return _read("macros")


def floors() -> tuple[tuple[str, str], ...]:
    """Name and query of each floor, lowest first; the lowest reads from `decoded`."""
    return tuple((name, _read(name)) for name in FLOORS)


def _read(name: str) -> str:
    return files(__name__).joinpath("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


KEYS = {
    # Up to the last dot an IPv4 address is its network already.
    "source_network": "CASE WHEN contains(source_ip, ':') THEN kw_network(source_ip)"
    " ELSE left(source_ip, length(source_ip) - strpos(reverse(source_ip), '.')) || '.0/24' END",
    "request_path": "kw_path(request_uri)",
}
"""Cheaper expressions for facts that are compared on very many events: equal exactly where the facts are equal."""

BODY_FACTS = frozenset(
    "request_object response_object truncated dry_run object_name generate_name owner_kind owner_name privileged"
    " host_pid host_ipc host_network host_paths capabilities images service_account pod_commands container_names"
    " image_registries registry_list allow_privilege_escalation runs_as_root share_processes host_process unconfined"
    " sysctls host_ports writable_host_paths node_name node_selector tolerations role_verbs role_resources"
    " role_api_groups role_grants role_ref_kind role_ref subjects service_type external_ips external_name"
    " service_selector service_ports source_ranges load_balancer_internal ingress_tls object_labels removed_labels"
    " object_annotations config_data replicas unschedulable patched_spec patch_operations webhook_urls"
    " webhook_services webhook_resources webhook_failure_policies certificate_signer certificate_usages"
    " certificate_subject volume_node_paths service_accounts".split()
)
"""Columns for which bodies must have been read."""
