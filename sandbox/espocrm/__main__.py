"""`python -m sandbox.espocrm`: the EspoCRM alone, on 127.0.0.1, in memory or in a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn
from dotenv import dotenv_values

from sandbox.espocrm.app import create_app
from sandbox.espocrm.store import EspoStore

_ENV_FILE = Path(__file__).resolve().parents[2] / ".env.sandbox"


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.espocrm", description=__doc__)
    parser.add_argument("--port", type=int, default=8702, metavar="P")
    parser.add_argument("--db", default=":memory:", metavar="FILE")
    parser.add_argument("--interval", type=float, default=2, metavar="SECONDS", help="between webhook deliveries")
    arguments = parser.parse_args()
    settings = {name: value or "" for name, value in dotenv_values(_ENV_FILE).items()}
    app = create_app(EspoStore(arguments.db), settings, interval=arguments.interval)
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
