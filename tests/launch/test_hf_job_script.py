"""The shell script of a job elsewhere."""

from __future__ import annotations

import subprocess

from studio.launch import hf_job_script, hf_jobs
from tests.launch.job_runs import job_run


def test_the_shell_script_of_a_job_is_shell(workspace, tmp_path):
    run = job_run(workspace, processes=2)
    shell = hf_jobs.build_job(run, workspace, "ana").folder / "job.sh"
    text = shell.read_text()
    assert subprocess.run(["bash", "-n", str(shell)], check=False).returncode == 0
    assert "accelerate launch --multi_gpu --num_processes 2" in text
    script = shell.with_name("train.py").read_text()
    assert "use_cpu=False," in script and "dtype=torch.bfloat16" in script
    assert "--with torch==" in text and "--with pillow==" in text and "*.bin" not in text
    moved = hf_job_script.job_script("/data/train.py", ["trl"], 1, "ana/x", checkpoints=False)
    assert "checkpoint-" in text and "ls -t out" not in moved and " python /data" in moved


def test_a_script_of_a_job_installs_what_is_pinned_and_hands_over_weights_only():
    packages = ["trl==1.0", "a b"]
    text = hf_job_script.job_script("/data/train.py", packages, 1, "ana/x", checkpoints=True)
    assert "uv run --with trl==1.0 --with 'a b' python /data/train.py" in text
    (upload,) = {line for line in text.splitlines() if "hf upload" in line and "uv run" in line}
    assert "--private" in upload and "ana/x" in upload
    assert all(f"--include '{kind}'" in upload for kind in hf_job_script.WANTED)
    checked = subprocess.run(["bash", "-n"], input=text, text=True, check=False)
    assert checked.returncode == 0
