"""More than one process, other machines, and jobs elsewhere."""

import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import HfApi

from studio.config import files
from studio.config.checks import problems
from studio.errors import InputError
from studio.paths import Workspace
from studio.runs.curves import Diary
from studio.runs.store import RunStore
from studio.services import jobs, launching, remote_files
from studio.services.foreground import follow, start_now
from studio.services.slurm import SlurmJob, slurm_script

OFF = dict.fromkeys(("share_images", "share_prompts", "cache_features", "cache_reference"), "off")
SMALL = {
    "name": "small",
    "adapter": {"rank": 4},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:12]"},
    "optimizer": {"learning_rate": 2e-3},
    "schedule": {"max_steps": 3, "save_every": 100},
    "probes": {"count": 0, "forgetting": None},
    "speed": OFF,
}


@pytest.fixture
def workspace(tmp_path):
    return Workspace.locate(tmp_path / "workspace")


def config(**launch):
    return files.parse({**SMALL, "launch": launch})


def test_two_processes_learn_what_one_learns(workspace):
    from studio.train.run import execute

    one = RunStore(workspace).create(config())
    execute(one.config, one.paths, workspace)
    two = start_now(config(processes=2), workspace)
    assert follow(two, quiet=True).state == "finished", two.paths.log.read_text()
    alone, together = (dict(Diary(r.paths.events).refresh().series["loss"]) for r in (one, two))
    assert together == pytest.approx(alone, abs=1e-3) and len(alone) == 3
    assert RunStore(workspace).get(two.run_id).has_adapter


def test_the_command_follows_the_engine(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "has_gpus", lambda: True)
    paths = workspace.run("r")
    one = launching.worker_command(config(), paths)
    assert one == [sys.executable, "-m", "studio", "worker", str(paths.root)]
    many = launching.worker_command(config(processes=2), paths)
    assert "--multi_gpu" in many and many[-4:] == ["--module", "studio", "worker", str(paths.root)]
    own = launching.worker_command(config(engine="accelerate:/fsdp.yaml"), paths)
    assert own[3:5] == ["--config_file", "/fsdp.yaml"] and "--num_processes" not in own
    job = launching.worker_command(config(engine="hf-jobs:l4x1"), paths)
    assert job[1:4] == ["-m", "studio", "remote"]


def test_processes_must_divide_the_batch():
    (problem,) = problems(config(processes=3))
    assert problem.field == "launch.processes" and "batch.total to 6" in problem.remedy


def test_slurm_scripts_are_shell_and_start_the_worker(workspace, tmp_path):
    run = RunStore(workspace).create(config())
    for job in (SlurmJob(), SlurmJob(nodes=2, gpus=4, partition="gpu", setup="module load cuda")):
        text = slurm_script(run, job)
        script = tmp_path / "run.sbatch"
        script.write_text(text)
        assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
        assert f"#SBATCH --gpus-per-node={job.gpus}" in text and str(run.paths.root) in text
    assert "--num_processes 8" in text and "srun" in text and "--partition=gpu" in text


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a job needs: who am I, repositories, a commit, a job and its log."""

    requests: list = []  # noqa: RUF012
    trained: dict = {}  # noqa: RUF012
    log = ("Loading", "{'loss': '1.5', 'epoch': '0.1'}", "{'loss': '1.25', 'epoch': '0.2'}")

    def answer(self, value, kind="application/json"):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def job(self):
        job = next(body for path, body in self.requests if path == "/api/jobs/ana")
        return {
            "id": "job1",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "status": {"stage": "COMPLETED", "message": None},
            "owner": {"id": "1", "name": "ana", "type": "user"},
            **job,
        }

    def do_GET(self):
        if self.path == "/api/whoami-v2":
            self.answer({"name": "ana", "type": "user"})
        elif "/logs" in self.path:
            lines = [{"data": line, "timestamp": "2026-01-01T00:00:00Z"} for line in self.log]
            stream = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
            self.answer(stream.encode(), "text/event-stream")
        elif self.path == "/api/jobs/ana/job1":
            self.answer(self.job())
        elif "/tree/" in self.path:
            entry = {"type": "file", "oid": "0" * 40}
            self.answer([entry | {"path": n, "size": len(c)} for n, c in self.trained.items()])
        elif "/resolve/" in self.path:
            self.answer(self.trained[self.path.rsplit("/", 1)[-1]], "application/octet-stream")
        else:
            files = [{"rfilename": name} for name in self.trained]
            self.answer({"sha": self.commit(), "id": "ana/x", "siblings": files})

    def commit(self):
        return hashlib.sha1(repr(sorted(self.trained)).encode()).hexdigest()

    def do_HEAD(self):
        content = self.trained[self.path.rsplit("/", 1)[-1]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.commit())
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = json.loads(body) if self.path == "/api/jobs/ana" else body
        self.requests.append((self.path, kept))
        if "/preupload/" in self.path:
            named = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in named
            ]
            self.answer({"files": modes})
        elif "/commit/" in self.path:
            url = f"http://{self.headers['Host']}/datasets/ana/x/commit/{'0' * 40}"
            self.answer(
                {"success": True, "commitUrl": url, "commitOid": "0" * 40, "hookOutput": ""}
            )
        elif self.path == "/api/jobs/ana":
            self.answer(self.job())
        else:
            url = f"http://{self.headers['Host']}/datasets/ana/x"
            self.answer({"url": url, "name": "ana/x", "id": "ana/x"})

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch):
    Hub.requests, Hub.trained = [], {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield HfApi(endpoint=f"http://127.0.0.1:{server.server_port}", token="hf_secret")
    server.shutdown()


def job_run(workspace):
    from studio.train.recipe import write_recipe

    run = RunStore(workspace).create(config(engine="hf-jobs:a10g-small", timeout="2h"))
    write_recipe(run.config, run.paths, workspace)
    return run


def test_a_dry_run_shows_what_would_be_sent_without_secrets(workspace, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    shown = jobs.build_job(job_run(workspace), workspace, "ana").to_json()
    files = set(shown["upload"]["files"])
    assert {"train.py", "rows/train.parquet", "model/model.safetensors"} <= files
    assert (
        "MODEL = '/run/model'"
        in (workspace.runs / shown["job"]["labels"]["name"] / "job/train.py").read_text()
    )
    assert shown["job"]["flavor"] == "a10g-small" and shown["job"]["timeout"] == "2h"
    assert shown["job"]["secrets"] == ["HF_TOKEN"] and "hf_secret" not in json.dumps(shown)
    assert shown["upload"]["private"] is True and shown["output"]["private"] is True
    shell, flag, line = shown["job"]["command"]
    assert (shell, flag) == ("bash", "-c") and "/run/train.py" in line
    assert line.endswith(f"hf upload {shown['output']['repository']} out/adapter .")


def test_a_job_is_sent_once_followed_to_its_end_and_its_weights_fetched(workspace, hub):
    run = job_run(workspace)
    Hub.trained = {
        "adapter_model.safetensors": b"weights",
        "adapter_config.json": b"{}",
        "evil.pkl": b"never fetched",
    }
    assert jobs.follow_remote(run.paths.root, hub) == 0
    assert jobs.follow_remote(run.paths.root, hub) == 0
    sent = [body for path, body in Hub.requests if path == "/api/jobs/ana"]
    assert len(sent) == 1 and sent[0]["timeoutSeconds"] == 7200
    assert sent[0]["secrets"] == {"HF_TOKEN": "hf_secret"} and sent[0]["flavor"] == "a10g-small"
    assert any("/commit/" in path for path, _ in Hub.requests)
    diary = Diary(run.paths.events).refresh()
    assert diary.series["loss"] == [(1, 1.5), (2, 1.25)]
    ended = RunStore(workspace).get(run.run_id)
    assert ended.status.state == "finished" and ended.has_adapter
    assert (run.paths.adapter / "adapter_model.safetensors").read_bytes() == b"weights"
    assert not (run.paths.adapter / "evil.pkl").exists() and diary.notices[-1].type != "warning"
    assert "hf_secret" not in run.paths.events.read_text() + run.paths.log.read_text()


def test_weights_that_do_not_come_back_are_named_and_fetched_the_next_time(
    workspace, hub, monkeypatch
):
    monkeypatch.setattr(remote_files, "BETWEEN_TRIES", 0)
    run = job_run(workspace)
    assert jobs.follow_remote(run.paths.root, hub) == 0
    (notice,) = [n for n in Diary(run.paths.events).refresh().notices if n.type == "warning"]
    assert "holds no weights" in notice.message
    assert not RunStore(workspace).get(run.run_id).has_adapter
    Hub.trained = {"adapter_model.safetensors": b"weights"}
    assert jobs.follow_remote(run.paths.root, hub) == 0
    assert RunStore(workspace).get(run.run_id).has_adapter


def test_a_job_that_could_not_give_its_weights_back_is_refused(workspace):
    run = RunStore(workspace).create(config(engine="hf-jobs:a10g-small", secrets=[]))
    with pytest.raises(InputError, match="cannot upload"):
        jobs.build_job(run, workspace, "ana")


def test_a_secret_that_is_not_set_is_refused_before_anything_is_sent(workspace, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="HF_TOKEN"):
        jobs.submit(jobs.build_job(job_run(workspace), workspace, "ana"), hub)
    assert Hub.requests == []
