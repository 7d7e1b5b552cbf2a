"""Write tests/ecs/fields.txt: every field of ECS with its type, from npm's `@elastic/ecs`.

It is run by hand, for a newer ECS: `python tools/ecs_fields.py 9.4.0` needs node and npm.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FIELDS = Path(__file__).parent.parent / "tests" / "ecs" / "fields.txt"

DUMP = """
const { EcsFlat } = require("@elastic/ecs");
const types = Object.values(EcsFlat).map((field) => [field.flat_name, field.type]);
console.log(JSON.stringify(types));
"""


def read_fields(version: str) -> list[tuple[str, str]]:
    """Return the fields of the package, ordered by name."""
    with tempfile.TemporaryDirectory() as directory:
        install = ["npm", "install", "--silent", "--no-audit", f"@elastic/ecs@{version}"]
        subprocess.run(install, cwd=directory, check=True)
        dump = subprocess.run(
            ["node", "-e", DUMP],  # noqa: S607 - the developer's own node
            cwd=directory,
            check=True,
            capture_output=True,
        )
    return sorted((name, type_) for name, type_ in json.loads(dump.stdout))


def main() -> None:
    """Write the file for the version on the command line."""
    (version,) = sys.argv[1:]
    fields = read_fields(version)
    head = (
        f"# The {len(fields)} fields of ECS {version}, by tools/ecs_fields.py from npm's",
        f"# @elastic/ecs {version}: (c) Elasticsearch B.V., Apache License 2.0",
    )
    FIELDS.write_text("\n".join([*head, *(f"{name} {type_}" for name, type_ in fields)]) + "\n")


if __name__ == "__main__":
    main()
