"""`kubewitness policy apply`."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated

from cyclopts import Parameter

from kubewitness.cli import EXIT_UNUSABLE
from kubewitness.cli.logs import demand_paths


def apply(
    file: Annotated[Path, Parameter(help="Audit policy, YAML or JSON.")],
    /,
    *paths: Annotated[
        str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)
    ],
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    keep_envelope: Annotated[
        bool, Parameter(help="Leave events in the Azure record they came in.", negative="")
    ] = False,
    redact_secrets: Annotated[
        Path | None, Parameter(help="Replace secret values by a hash; the file holds its key.")
    ] = None,
    quiet: Annotated[bool, Parameter(help="No remarks on standard error.", negative="")] = False,
) -> int:
    """Write what kube-apiserver would have written under a policy: fewer events, levels, stages, managedFields.

    A policy cannot raise a level: what the log does not hold, it cannot give. Cut records are written as they are.
    """
    from kubewitness.app.policies.apply import apply_to  # noqa: PLC0415
    from kubewitness.app.policies.evaluation import load  # noqa: PLC0415 - help must come quickly
    from kubewitness.app.policies.lines import ApplyOptions  # noqa: PLC0415
    from kubewitness.policy.secrets import SecretHasher  # noqa: PLC0415

    demand_paths(paths, example="kubewitness policy apply policy.yaml audit.log")
    policy = load(file)
    hasher = SecretHasher(_key(redact_secrets)) if redact_secrets is not None else None
    applied = apply_to(output, policy, paths, ApplyOptions(keep_envelope=keep_envelope, redact=hasher))
    for item in applied.unreadable:
        print(f"warning: {item.origin}: {item.reason}", file=sys.stderr)  # noqa: T201 - this is the front end
    if not quiet:
        for line in (*applied.remarks(), *(hasher.remarks(applied.cut) if hasher else ())):
            print(line, file=sys.stderr)  # noqa: T201
    return EXIT_UNUSABLE if not applied.read and applied.unreadable else 0


def _key(path: Path) -> bytes:
    from kubewitness.app.keys import read_key  # noqa: PLC0415
    from kubewitness.policy.secrets import LEAST_KEY_BYTES  # noqa: PLC0415

    hint = "make one: head -c 32 /dev/urandom > key.bin"
    return read_key(path, least=LEAST_KEY_BYTES, hint=hint).rstrip(b"\r\n")
