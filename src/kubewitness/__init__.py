"""kubewitness: asks Kubernetes audit logs who did what, whether it was allowed, and what they could not see."""

__version__ = "0.1.0"
