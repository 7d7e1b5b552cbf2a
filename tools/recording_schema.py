"""Write the JSON Schema of recordings, of which the code is the source; `--check` compares it."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from service.replay.recording import Recording

CONTRACT = Path(__file__).parent.parent / "service" / "web" / "docs" / "contract"
SCHEMA = CONTRACT / "recording.schema.json"


def document() -> dict[str, Any]:
    """Return the schema."""
    schema = msgspec.json.schema(Recording)
    definitions = schema["$defs"]
    for one in definitions.values():
        # Python 3.13 does not keep the indentation of docstrings either.
        one["description"] = inspect.cleandoc(one["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A recorded match of ws-service",
        **schema,
    }


def document_text() -> str:
    """Return the content of the file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the schema, or with `--check` compare it."""
    text = document_text()
    if sys.argv[1:] != ["--check"]:
        SCHEMA.write_text(text)
    elif not SCHEMA.exists() or SCHEMA.read_text() != text:
        sys.exit(f"{SCHEMA.name} is not what the code says: run `make reference`")


if __name__ == "__main__":
    main()
