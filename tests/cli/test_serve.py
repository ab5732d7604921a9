"""A run served from the command line answers the OpenAI client as Chat does."""

from __future__ import annotations

import re
import signal
import subprocess

import openai
import pytest

from studio.core.paths import SAMPLES, Workspace
from studio.data.image_store import open_image
from studio.inference.single_answer import ask
from studio.models.chat_parts import data_url
from tests.places import ROOT
from tests.release.trained_runs import trained_run

TOKEN = "a-token-for-this-test"
QUESTION = "Which month has the highest bar?"


@pytest.mark.usefixtures("forked")
def test_a_run_is_served(tmp_path, python, monkeypatch):
    workspace = Workspace.locate(tmp_path / "workspace")
    run = trained_run(workspace)
    picture = next(SAMPLES.glob("heldout/images/*"))
    expected = ask(
        workspace, model="embedded", adapter=run.run_id, images=[picture], question=QUESTION
    )[0].text
    monkeypatch.setenv("STUDIO_SERVE_TOKEN", TOKEN)
    command = [python, "-m", "studio", "serve", "mine", "--port", "0"]
    server = subprocess.Popen(
        [*command, "--workspace", str(workspace.root)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        url = re.search(r"http://\S+", server.stdout.readline())[0]
        parts = [
            {"type": "image_url", "image_url": {"url": data_url(open_image(picture))}},
            {"type": "text", "text": QUESTION},
        ]
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            stream = client.chat.completions.create(
                model=run.run_id, messages=[{"role": "user", "content": parts}], stream=True
            )
            texts = [chunk.choices[0].delta.content or "" for chunk in stream]
            parts[0]["image_url"] = {"url": "data:image/png;base64,AAAA"}
            with pytest.raises(openai.BadRequestError, match="image"):
                client.chat.completions.create(
                    model="embedded", messages=[{"role": "user", "content": parts}]
                )
        assert "".join(texts) == expected
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
    assert not list(workspace.served.glob("*"))
