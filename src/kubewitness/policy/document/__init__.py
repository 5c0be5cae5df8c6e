"""From the text of a policy to typed values, with the rules of the server's decoders and with positions.

Source: sigs.k8s.io/yaml (go-yaml v2: YAML 1.1), encoding/json and sigs.k8s.io/json, as kube-apiserver v1.36 uses them.
"""

from kubewitness.policy.document.nodes import DecodingError, Mark, Member, Node
from kubewitness.policy.document.read_json import read_json
from kubewitness.policy.document.read_yaml import read_yaml
from kubewitness.policy.document.typed import Decoder, ListOf, MapOf, Object, Opaque, Pointer, Scalar, Schema

__all__ = [
    "Decoder",
    "DecodingError",
    "ListOf",
    "MapOf",
    "Mark",
    "Member",
    "Node",
    "Object",
    "Opaque",
    "Pointer",
    "Scalar",
    "Schema",
    "read_json",
    "read_yaml",
]
