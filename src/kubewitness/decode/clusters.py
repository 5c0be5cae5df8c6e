"""Which cluster a record is from, as resource ids, log groups and paths say it."""

from __future__ import annotations

import re

_PROVIDER = (
    r"/providers/(?:microsoft\.containerservice/(?:managedclusters|fleets)"
    r"|microsoft\.kubernetes/connectedclusters|microsoft\.redhatopenshift/openshiftclusters)/[^/]+"
)
_RESOURCE_ID = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+" + _PROVIDER, re.IGNORECASE)
_PATH = re.compile(r"(?<![a-z])resourceid=(/subscriptions/[^/]+/resourcegroups/[^/]+" + _PROVIDER + ")", re.IGNORECASE)
_LOG_GROUP = re.compile(r"/aws/eks/([^/]+)/cluster", re.IGNORECASE)


def cluster_of_resource_id(resource_id: str | None) -> str | None:
    """Give a cluster's resource id in lower case, whatever surrounds it; None for other resources.

    Recognises AKS clusters, fleets, Arc-connected clusters and Azure Red Hat OpenShift.
    """
    found = _RESOURCE_ID.search(resource_id) if resource_id else None
    return found[0].lower() if found else None


def cluster_of_log_group(log_group: str | None) -> str | None:
    """Give the cluster's name out of an EKS log group `/aws/eks/NAME/cluster`; None for other groups."""
    found = _LOG_GROUP.search(log_group) if log_group else None
    return found[1] if found else None


def cluster_from_path(path: str) -> str | None:
    """Give the cluster that a path names.

    Args:
        path: path of a file in the layout of Azure's storage export,
            `insights-logs-kube-audit/resourceId=/SUBSCRIPTIONS/.../MANAGEDCLUSTERS/NAME/y=.../PT1H.json`,
            in any case, with either slash.

    Returns:
        Its resource id in lower case, or None. A `WorkspaceResourceId=` names a workspace, not a cluster.
    """
    found = _PATH.search(path.replace("\\", "/"))
    return found[1].lower() if found else None
