"""Mutations: the same act, done or logged in another way. What a rule detects it must detect in these clothes too.

Each is named; a rule whose matching cases need not match under one says so, with the reason:

    exempt: {patch: "roles are only made anew here; changes are what role-widened is for"}

A mutation yields the variants of a case to which it applies, and none where it makes no sense: only creations become
patches, only pods become templates, only versioned groups change their version. Bodies are what a real kube-apiserver
writes: the raw patch as request, the whole object as response where the level is RequestResponse.
"""

from kubewitness.detect.mutations.mutation import EXEMPTIONS, Mutation
from kubewitness.detect.mutations.variants import Variant, variants

__all__ = ["EXEMPTIONS", "Mutation", "Variant", "variants"]
