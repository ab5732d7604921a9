"""What a Space without logins serves: one page that says how to open the studio, and nothing else.

Without logins everybody is the lead. On this machine that is right; on a Space it would let each
visitor import, train, delete, and push with the Space's token.
"""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>VLM Studio</title>
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:60ch;
margin:12vh auto;padding:0 20px;background:light-dark(#f7f7fa,#101116);
color:light-dark(#1b1c22,#ececf2)}}h1{{font-size:20px}}li{{margin:12px 0}}a{{color:inherit}}
code{{font:14px ui-monospace,monospace;padding:1px 5px;border-radius:4px;
background:light-dark(#e9e9f0,#24262f)}}</style>
<h1>This studio has no logins yet</h1>
<p>Without them everybody who opens this Space would be its lead: import, train, delete, and use
its token. So nothing is served until its owner chooses one of these and restarts it.</p><ol>
<li><b>Hugging Face accounts.</b> Put <code>hf_oauth: true</code> into the header of the Space’s
README.md. The owner leads; <code>STUDIO_LEADS</code> and <code>STUDIO_ANNOTATORS</code> name
others.</li>
<li><b>Accounts of its own.</b> Set the variable <code>STUDIO_AUTH</code> to the path of an accounts
file, made with <code>python -m studio.ui.auth accounts.yaml NAME --role lead</code>.</li>
<li><b>No logins.</b> For a private Space or a demo with nothing to lose: set
<code>STUDIO_SHARE_WITHOUT_AUTH</code> to <code>1</code>.</li></ol>{settings}</html>"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
}


def closed_app(space: str) -> FastAPI:
    """The application of the Space `space`, `OWNER/NAME`; every path but `/` is not found."""
    app = FastAPI(title="VLM Studio", docs_url=None, redoc_url=None, openapi_url=None)
    link = ""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", space):
        address = f"https://huggingface.co/spaces/{space}/settings"
        link = f'<p><a href="{address}" target="_blank">Settings of this Space</a></p>'
    page = PAGE.format(settings=link)

    @app.get("/")
    def say() -> HTMLResponse:
        return HTMLResponse(page, headers=HEADERS)

    return app
