"""Refuse a dependency of the extension whose licence is not on the list; reads `cargo metadata`, needs nothing else."""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be satisfied from `ALLOWED`; `/` is the old spelling of OR."""
    alternatives = re.split(r"\s+OR\s+|/", expression.replace("(", "").replace(")", ""))
    return any(all(part.strip() in ALLOWED for part in one.split(" AND ")) for one in alternatives)


def main() -> int:
    """Print each refused package; the exit code says whether there was one."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--quiet"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    refused = [p for p in packages if not allowed(p["license"] or "none given")]
    for package in refused:
        print(f"{package['name']} {package['version']}: licence {package['license']} is not on the list")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
