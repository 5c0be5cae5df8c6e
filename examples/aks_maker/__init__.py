"""Makes the audit log of a small AKS cluster on a working morning, with an attack in it."""
