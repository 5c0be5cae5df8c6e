"""Lint: what is wrong with a policy beyond what kube-apiserver refuses, where, and what to do about it."""

from kubewitness.policy.lint.check import Linted, fix, lint
from kubewitness.policy.lint.issue import Edit, Issue

__all__ = ["Edit", "Issue", "Linted", "fix", "lint"]
