"""Audit policies: read as kube-apiserver reads them, evaluated as it evaluates them.

`load_policy` turns text into a `Policy` or into the server's own refusal; `decide` gives the level, the omitted stages
and the deciding rule for one request; `bulk` says the same as predicates for the engine.
"""
