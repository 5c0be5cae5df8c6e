"""Patches as kube-apiserver carries them out: what an object is after one. Nothing here changes what it is given."""
