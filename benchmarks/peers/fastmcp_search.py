"""FastMCP's BM25 tool search over a given catalog; runs in an environment of its own.

Reads `{"tools": [...], "queries": [...]}` from standard input and prints, for each query, the
identifiers of the ten best tools.
"""

import json
import sys

from fastmcp.server.transforms.search.base import _extract_searchable_text
from fastmcp.server.transforms.search.bm25 import _BM25Index
from fastmcp.tools.base import Tool


def main() -> None:
    """Index the tools as FastMCP does, then ask."""
    job = json.load(sys.stdin)
    texts = [
        _extract_searchable_text(
            Tool(
                name=tool["name"],
                description=tool.get("description") or "",
                parameters=tool.get("input_schema") or {"type": "object", "properties": {}},
            )
        )
        for tool in job["tools"]
    ]
    index = _BM25Index()
    index.build(texts)
    ranked = [
        [job["tools"][place]["id"] for place in index.query(query, 10)] for query in job["queries"]
    ]
    json.dump(ranked, sys.stdout)


if __name__ == "__main__":
    main()
