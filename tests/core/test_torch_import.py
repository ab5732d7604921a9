"""Processes start without what most of them never call, and it is there when they do."""

import gc
import subprocess
import sys

from studio.core.torch_import import compile_late, compiled_when_called, loading

# In a process that has loaded all that workers, planners, checkers and chats do.
PROGRAM = """
import sys, torch
from bitsandbytes.backends.default import ops

assert "torch._inductor.compile_fx" not in sys.modules
assert torch.compile.__module__ == "torch"
torch.compile = None
calls = [ops._dequantize_4bit_compute.__wrapped__, ops._dequantize_blockwise_compute.__wrapped__]
print([call.__name__ for call in calls])
"""


def test_the_compiler_is_not_loaded_with_the_libraries(python):
    found = subprocess.run([python, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "['_dequantize_4bit_compute', '_dequantize_blockwise_compute']"


def test_a_function_is_compiled_once_when_it_is_called():
    asked = []

    def compile(function, **options):
        asked.append(options)
        return lambda *given: ("compiled", function(*given))

    late = compiled_when_called(compile, max, dynamic=False)
    assert asked == []
    assert [late(1, 2), late(3, 2)] == [("compiled", 2), ("compiled", 3)]
    assert asked == [{"dynamic": False}]


def test_loading_leaves_garbage_collection_on(monkeypatch):
    finders = [one for one in sys.meta_path if type(one).__module__ != "studio.core.torch_import"]
    monkeypatch.setattr(sys, "meta_path", finders)
    before = len(finders)
    with loading():
        assert not gc.isenabled()
    compile_late()
    assert gc.isenabled() and len(finders) == before + 1
