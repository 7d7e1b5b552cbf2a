"""Write service/web/docs/contract/openapi.json from the routes; `--check` compares it."""

import json
import sys
from pathlib import Path

from service.edge.api.openapi import document

OPENAPI = Path(__file__).parent.parent / "service" / "web" / "docs" / "contract" / "openapi.json"


def document_text() -> str:
    """Return the content of the file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the document, or with `--check` compare it."""
    text = document_text()
    if sys.argv[1:] != ["--check"]:
        OPENAPI.parent.mkdir(exist_ok=True)
        OPENAPI.write_text(text)
    elif not OPENAPI.exists() or OPENAPI.read_text() != text:
        sys.exit(f"{OPENAPI.name} is not what the code says: run `make reference`")


if __name__ == "__main__":
    main()
