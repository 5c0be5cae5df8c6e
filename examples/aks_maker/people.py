"""Who uses the example cluster: AKS itself, nodes, workloads, people.

Addresses are from the ranges that are kept for documentation.
"""

from __future__ import annotations

from aks_maker.recorder import SUBSCRIPTION, Actor, uid_of

KUBERNETES = "v1.33.5"
BUILD = "kubernetes/7f2c6de"
EGRESS = "192.0.2.61"  # address of the cluster's nodes and pods, as the API server sees it
OFFICE = "198.51.100.23"
PIPELINE = "198.51.100.140"
KUBECTL = f"kubectl/v1.33.4 (linux/amd64) {BUILD}"
NODES = tuple(f"aks-{pool}-vmss00000{n}" for pool in ("system-31874026", "shop-31874026") for n in range(2))
AUTHENTICATED = "system:authenticated"


def binding(name: str, role: str, subject: str, *, namespace: str | None = None) -> str:
    """The RBAC authorizer's reason for an allowed request."""
    kinds = ("RoleBinding", "Role") if namespace else ("ClusterRoleBinding", "ClusterRole")
    where = f"{name}/{namespace}" if namespace else name
    return f'RBAC: allowed by {kinds[0]} "{where}" of {kinds[1]} "{role}" to {subject}'


def service_account(
    namespace: str,
    name: str,
    agent: str,
    *,
    role: str = "",
    address: str = EGRESS,
    allowed_by: str = "",
    pod: str = "",
) -> Actor:
    """A service account, with a token bound to `pod` (a name is made up where it is empty)."""
    username = f"system:serviceaccount:{namespace}:{name}"
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    reason = allowed_by or binding(role or name, role or name, f'ServiceAccount "{name}/{namespace}"')
    pod = pod or f"{name}-{uid_of('pod', namespace, name)[:5]}"
    extra = {
        "authentication.kubernetes.io/credential-id": (f"JTI={uid_of('token', namespace, pod)}",),
        "authentication.kubernetes.io/node-name": (NODES[1],),
        "authentication.kubernetes.io/node-uid": (uid_of("Node", "", NODES[1]),),
        "authentication.kubernetes.io/pod-name": (pod,),
        "authentication.kubernetes.io/pod-uid": (uid_of("Pod", namespace, pod),),
    }
    return Actor(username, groups, address, agent, reason, uid_of("ServiceAccount", namespace, name), extra)


def controller(name: str) -> Actor:
    """One of the controllers of kube-controller-manager: its own service account, from the control plane."""
    agent = f"kube-controller-manager/{KUBERNETES} (linux/amd64) {BUILD}/system:serviceaccount:kube-system:{name}"
    role = f"system:controller:{name}"
    reason = binding(role, role, f'ServiceAccount "{name}/kube-system"')
    actor = service_account("kube-system", name, agent, address="172.31.20.43", allowed_by=reason)
    key = "authentication.kubernetes.io/credential-id"
    return actor.using(extra={key: actor.extra[key]})


def node(name: str) -> Actor:
    """A kubelet."""
    agent = f"kubelet/{KUBERNETES} (linux/amd64) {BUILD}"
    serial = uid_of("certificate", name).replace("-", "") * 2
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={serial}",)}
    return Actor(f"system:node:{name}", ("system:nodes", AUTHENTICATED), EGRESS, agent, "", extra=extra)


def aks(agent: str, address: str = "172.31.20.43") -> Actor:
    """A control-plane component of AKS: all of them share one certificate."""
    return Actor("aksService", ("system:masters", AUTHENTICATED), address, agent, "")


def entra(name: str, assignment: str, agent: str = KUBECTL, address: str = OFFICE) -> Actor:
    """A person, let in by Microsoft Entra and authorised by Azure RBAC."""
    oid = uid_of("oid", name)
    scope = f"/subscriptions/{SUBSCRIPTION.lower()}/resourceGroups/rg-shop-prod"
    reason = (
        f"Access allowed by Azure RBAC Role Assignment {uid_of('assignment', assignment)} "
        f"of Role {uid_of('role', assignment)} to user {oid}"
    )
    groups = (uid_of("group", scope), uid_of("group", assignment), AUTHENTICATED)
    return Actor(f"{name}@contoso.com", groups, address, agent, reason, extra={"oid": (oid,)})


KUBE_CONTROLLER_MANAGER = aks(f"kube-controller-manager/{KUBERNETES} (linux/amd64) {BUILD}/leader-election")
KUBE_SCHEDULER_LEASE = aks(f"kube-scheduler/{KUBERNETES} (linux/amd64) {BUILD}/leader-election", "172.31.20.44")
KUBE_SCHEDULER = aks(f"kube-scheduler/{KUBERNETES} (linux/amd64) {BUILD}/scheduler", "172.31.20.44")
CLOUD_CONTROLLER = aks("cloud-controller-manager/v1.33.3 (linux/amd64) kubernetes/$Format", "172.31.35.83")
AUTOSCALER = aks("cluster-autoscaler/v0.0.0 (linux/amd64) kubernetes/$Format", "172.31.35.83")
CSI_RESIZER = aks("csi-resizer/v0.0.0 (linux/amd64) kubernetes/$Format", "172.31.30.22")
CSI_ATTACHER = aks("Go-http-client/2.0", "172.31.30.22")
AKS_KUBECTL = aks(f"kubectl/{KUBERNETES} (linux/amd64) {BUILD}", "127.0.0.1")
METRICS_SCRAPER = Actor("hcpService", ("system:masters", AUTHENTICATED), "172.31.42.20", "Prometheus/2.54.1", "")
PROBE = Actor(
    "readinessChecker",
    (AUTHENTICATED,),
    "10.200.0.38",
    "kube-probe/1.33",
    binding("system:discovery", "system:discovery", f'Group "{AUTHENTICATED}"'),
    uid="1",
)
APISERVER = Actor(
    "system:apiserver",
    ("system:masters", AUTHENTICATED),
    "127.0.0.1",
    f"kube-apiserver/{KUBERNETES} (linux/amd64) {BUILD}",
    "",
    uid=uid_of("apiserver"),
)
METRICS_SERVER = service_account(
    "kube-system",
    "metrics-server",
    f"metrics-server/v0.7.2 (linux/amd64) {BUILD}",
    role="system:metrics-server",
)
GATEKEEPER = service_account(
    "gatekeeper-system",
    "gatekeeper-admin",
    "gatekeeper/v3.20.1 (linux/amd64) 6a7ef01",
    role="gatekeeper-manager-role",
)
AMA_LOGS = service_account("kube-system", "ama-logs", "fluent-bit-out-oms/3.1.28", role="ama-logs-reader")
COREDNS_AUTOSCALER = service_account(
    "kube-system",
    "coredns-autoscaler",
    "cluster-proportional-autoscaler/v0.0.0 (linux/amd64) kubernetes/$Format",
)
CSI_NODE = service_account(
    "kube-system", "csi-azuredisk-node-sa", "azurediskplugin/v1.33.2", role="csi-azuredisk-node-role"
)
FLUX = service_account(
    "flux-system",
    "kustomize-controller",
    "kustomize-controller/v0.0.0 (linux/amd64) kubernetes/$Format",
    allowed_by=binding("cluster-reconciler", "cluster-admin", 'ServiceAccount "kustomize-controller/flux-system"'),
)
FLUX_SOURCE = service_account(
    "flux-system",
    "source-controller",
    "source-controller/v0.0.0 (linux/amd64) kubernetes/$Format",
    role="crd-controller",
)
INGRESS = service_account("ingress-nginx", "ingress-nginx", "nginx-ingress-controller/v1.13.3 (linux/amd64)")
CERT_MANAGER = service_account(
    "cert-manager",
    "cert-manager",
    "cert-manager-controller/v1.18.2 (linux/amd64) cert-manager/leader-election",
    role="cert-manager-leaderelection",
)
PROMETHEUS = service_account("monitoring", "prometheus", "Prometheus/3.5.0", role="prometheus")
STOREFRONT_POD = "storefront-6d5c9bb7f4-qx8lz"
STOREFRONT = service_account(
    "shop",
    "storefront",
    "storefront/v0.0.0 (linux/amd64) kubernetes/$Format",
    pod=STOREFRONT_POD,
    allowed_by=binding(
        "storefront-runtime", "storefront-runtime", 'ServiceAccount "storefront/shop"', namespace="shop"
    ),
)
CART = service_account(
    "shop",
    "cart",
    "cart/v0.0.0 (linux/amd64) kubernetes/$Format",
    allowed_by=binding("cart-leader", "cart-leader", 'ServiceAccount "cart/shop"', namespace="shop"),
)
CI = Actor(
    "system:serviceaccount:shop:ci-deployer",
    ("system:serviceaccounts", "system:serviceaccounts:shop", AUTHENTICATED),
    PIPELINE,
    KUBECTL,
    binding("ci-deployer", "ci-deployer", 'ServiceAccount "ci-deployer/shop"'),
    uid=uid_of("ServiceAccount", "shop", "ci-deployer"),
    remarks={
        "authentication.k8s.io/legacy-token": "system:serviceaccount:shop:ci-deployer",
        "authentication.k8s.io/legacy-token-manual-secret": "ci-deployer-token/shop",
    },
)
DANA = entra("dana", "developers")
LI = entra("li.wei", "developers", address="198.51.100.23")
OMAR = entra("omar", "platform-operators", agent=f"kubectl/v1.34.1 (darwin/arm64) {BUILD}")
AZURE_REFUSAL = "User does not have access to the resource in Azure. Update role assignment to allow access."
