"""What the cluster does by itself when a workload changes: controllers, scheduler and kubelets at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_maker import objects, people
from aks_maker.policy import Target
from aks_maker.recorder import second, uid_of

if TYPE_CHECKING:
    from aks_maker.objects import Body
    from aks_maker.recorder import Recorder

DIGITS = "bcdfghjklmnpqrstvwxz2456789"
GATEKEEPER_PASS = {
    "mutation.webhook.admission.k8s.io/round_0_index_3": (
        '{"configuration":"gatekeeper-mutating-webhook-configuration",'
        '"webhook":"mutation.gatekeeper.sh","mutated":false}'
    )
}
MANAGER = "kube-controller-manager"


class Workloads:
    """Rolls out deployments and runs cron jobs."""

    def __init__(self, log: Recorder) -> None:
        self.log = log

    def _suffix(self, length: int) -> str:
        return "".join(self.log.random.choice(DIGITS) for _ in range(length))

    def roll_out(self, at: float, namespace: str, app: str, tag: str, replicas: int) -> None:
        """Set the image of an application; the controllers replace its pods."""
        log = self.log
        target = Target("deployments", namespace, app, group="apps")
        change = {
            "spec": {"template": {"spec": {"containers": [{"name": app, "image": f"{objects.REGISTRY}/{app}:{tag}"}]}}}
        }
        made = objects.stored(
            objects.deployment(namespace, app, tag, replicas), log.new_version(), at - 9e6, "kubectl-set"
        )
        query = "fieldManager=kubectl-set"
        log.request(at, people.CI, "patch", target, query=query, body=change, answer=made, remarks=GATEKEEPER_PASS)
        digest, old = self._suffix(10), self._suffix(10)
        revision = objects.replica_set(namespace, app, tag, replicas, digest)
        answer = objects.stored(revision, log.new_version(), at, MANAGER)
        owner = people.controller("deployment-controller")
        sets = Target("replicasets", namespace, f"{app}-{digest}", group="apps")
        log.request(at + 0.1, owner, "create", sets, code=201, body=revision, answer=answer, remarks=GATEKEEPER_PASS)
        for number in range(replicas):
            at += 4 + number
            labels = {"app.kubernetes.io/name": app, "pod-template-hash": digest}
            by = objects.owner("ReplicaSet", "apps/v1", namespace, f"{app}-{digest}")
            name = f"{app}-{digest}-{self._suffix(5)}"
            self.start_pod(
                at,
                objects.pod(namespace, name, labels, objects.app_spec(app, tag), by),
                "replicaset-controller",
            )
            self._touch_status(at + 3, "replicasets", f"{app}-{digest}", namespace, by="replicaset-controller")
            self._touch_status(at + 3.2, "deployments", app, namespace, by="deployment-controller")
            endpoints = Target("endpointslices", namespace, f"{app}-{uid_of(app)[:5]}", group="discovery.k8s.io")
            log.request(at + 3.3, people.controller("endpointslice-controller"), "update", endpoints)
            gone = objects.pod(
                namespace, f"{app}-{old}-{self._suffix(5)}", labels, objects.app_spec(app, "previous"), by
            )
            self.stop_pod(at + 3.5, gone, "replicaset-controller", people.NODES[2])

    def run_cron_job(self, at: float, namespace: str, cron: str, tag: str) -> None:
        """Run a cron job once: job, pod, result, and the oldest job is removed."""
        log = self.log
        name = f"{cron}-{29_390_400 + int(at // 60)}"
        run = objects.job(namespace, name, tag, cron)
        answer = objects.stored(run, log.new_version(), at, MANAGER)
        scheduler = people.controller("cronjob-controller")
        jobs = Target("jobs", namespace, name, group="batch")
        log.request(at, scheduler, "create", jobs, code=201, body=run, answer=answer, remarks=GATEKEEPER_PASS)
        by = objects.owner("Job", "batch/v1", namespace, name)
        spec = run["spec"]["template"]["spec"]
        worker = objects.pod(namespace, f"{name}-{self._suffix(5)}", {"job-name": name}, spec, by)
        self.start_pod(at + 0.2, worker, "job-controller")
        self._touch_status(at + 21, "jobs", name, namespace, by="job-controller", group="batch")
        oldest = f"{cron}-{29_390_400 + int(at // 60) - 45}"
        target = Target("jobs", namespace, oldest, group="batch")
        done = objects.success(oldest, "jobs", namespace, "batch")
        log.request(at + 22, scheduler, "delete", target, body=objects.delete_options(), answer=done)

    def start_pod(self, at: float, pod: Body, creator: str) -> None:
        """A controller creates a pod, the scheduler binds it, its kubelet starts it."""
        log = self.log
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        prefix = name.rpartition("-")[0] + "-"
        nameless = {key: value for key, value in pod["metadata"].items() if key != "name"}
        sent = {**pod, "metadata": {"generateName": prefix, **nameless}}
        named = {**pod, "metadata": {"generateName": prefix, **pod["metadata"]}}
        answer = objects.stored(named, log.new_version(), at, MANAGER)
        checks = {**GATEKEEPER_PASS, "pod-security.kubernetes.io/enforce-policy": "baseline:latest"}
        target = Target("pods", namespace)
        actor = people.controller(creator)
        log.request(at, actor, "create", target, code=201, body=sent, answer=answer, remarks=checks)
        node = log.random.choice(people.NODES[2:])
        self.bind(at + 0.05, namespace, name, node)
        self.report(at + 0.1, namespace, name, node, "Pending")
        account = Target("serviceaccounts", namespace, pod["spec"]["serviceAccountName"], "token")
        issued = {"authentication.kubernetes.io/issued-credential-id": f"JTI={log.new_id()}"}
        log.request(at + 0.2, people.node(node), "create", account, code=201, remarks=issued)
        self.report(at + 2.4, namespace, name, node, "Running")

    def stop_pod(self, at: float, pod: Body, creator: str, node: str) -> None:
        """A controller deletes a pod, its kubelet stops it and confirms."""
        log = self.log
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        target = Target("pods", namespace, name)
        going = objects.stored(pod, log.new_version(), at - 86_000, MANAGER)
        actor = people.controller(creator)
        log.request(at, actor, "delete", target, body=objects.delete_options(), answer=going)
        self.report(at + 1.1, namespace, name, node, "Succeeded")
        final = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/__internal", "gracePeriodSeconds": 0}
        log.request(at + 1.3, people.node(node), "delete", target, body=final, answer=going)

    def bind(self, at: float, namespace: str, name: str, node: str) -> None:
        """The scheduler gives a pod to a node."""
        body: Body = {"kind": "Binding", "apiVersion": "v1"}
        body |= {"metadata": {"name": name, "namespace": namespace, "uid": uid_of("Pod", namespace, name)}}
        body |= {"target": {"kind": "Node", "name": node}}
        answer = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        target = Target("pods", namespace, name, "binding")
        self.log.request(at, people.KUBE_SCHEDULER, "create", target, code=201, body=body, answer=answer)

    def report(self, at: float, namespace: str, name: str, node: str, phase: str) -> None:
        """A kubelet says how a pod is."""
        ready = "True" if phase == "Running" else "False"
        conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": second(at)}]
        body = {
            "metadata": {"uid": uid_of("Pod", namespace, name)},
            "status": {"phase": phase, "conditions": conditions},
        }
        self.log.request(at, people.node(node), "patch", Target("pods", namespace, name, "status"), body=body)

    def _touch_status(
        self, at: float, resource: str, name: str, namespace: str, *, by: str, group: str = "apps"
    ) -> None:
        kind = {"replicasets": "ReplicaSet", "deployments": "Deployment", "jobs": "Job"}[resource]
        identity = uid_of(kind, namespace, name), self.log.new_version()
        metadata = {"name": name, "namespace": namespace, "uid": identity[0], "resourceVersion": identity[1]}
        counts = {"succeeded": 1} if resource == "jobs" else {"replicas": 2, "readyReplicas": 1}
        body = {"kind": kind, "apiVersion": f"{group}/v1", "metadata": metadata, "status": counts}
        target = Target(resource, namespace, name, "status", group)
        self.log.request(at, people.controller(by), "update", target, body=body, answer=body, identity=identity)
