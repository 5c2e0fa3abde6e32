"""Recomputes every vector from docs/protocol.md: python3 check.py [folder of vectors].

Each vectors/<topic>.json is handed to check(vectors) of topic_<topic>.py; a topic without one fails.
"""

import importlib
import json
import pathlib
import sys


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "vectors"
    files = sorted(folder.glob("*.json"))
    failed = 0 if files else 1
    for file in files:
        try:
            importlib.import_module(f"topic_{file.stem}").check(json.loads(file.read_text()))
            print(f"{file.stem}: ok")
        except Exception as error:  # whatever went wrong, the next topic is worth checking
            failed += 1
            print(f"{file.stem}: FAILED: {type(error).__name__}: {str(error)[:400]}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
