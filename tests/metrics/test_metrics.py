import subprocess
import sys


def test_metrics_do_not_load_torch():
    code = "import sys, studio.metrics, studio.models.prompts; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
