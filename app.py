"""Start the studio: `python app.py`. Flags are read before anything heavy is imported."""

from __future__ import annotations

import argparse
import os
import sys


def parse_flags(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="app.py", description="VLM Studio in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on")
    parser.add_argument("--workspace", metavar="DIR", help="where everything is kept")
    parser.add_argument("--auth", metavar="FILE", help="YAML file of accounts")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args(arguments)


def main() -> int:
    """Serve until interrupted; exit code."""
    flags = parse_flags()
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import uvicorn

    from studio.ui.app import build_app, open_context

    app = build_app(open_context(flags.workspace))
    sys.stdout.write(f"VLM Studio: http://{flags.host}:{flags.port}\n")
    uvicorn.run(app, host=flags.host, port=flags.port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
