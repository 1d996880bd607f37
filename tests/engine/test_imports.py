"""What takes long to import is imported by those alone who need it, and works then as ever."""

import subprocess
import sys

import pytest

# In a process of its own: in this one another test may have imported it.
STORY = """
import inspect, sys
import breastai.engine.training.training_job
assert "pydicom" not in sys.modules
from breastai.engine.acceleration.memory_estimate import peak_bytes
from breastai.engine.deferred_dynamo import DeferredModule
import timm, torch, torchvision
from torch import nn

def is_deferred():
    return isinstance(sys.modules["torch._dynamo"], DeferredModule)

model = nn.Linear(4, 2)
optimizer = torch.optim.AdamW(model.parameters())
def step():
    optimizer.zero_grad()
    model(torch.ones(3, 4)).sum().backward()
    optimizer.step()
assert peak_bytes(step) > 0
torch.compiler.disable(step)()
torch.compiler.disable(reason="none")(step)()
inspect.getmodule(step)  # looks through all modules
assert is_deferred()

compiled = torch.compile(model, backend="eager")
assert torch.equal(compiled(torch.ones(3, 4)), model(torch.ones(3, 4)))
assert not is_deferred()
import torch._dynamo.config
assert torch._dynamo.utils.counters["frames"]["ok"] == 1
boxes = [torch.tensor([[0.0, 0.0, 2.0, 2.0]])]
assert torchvision.ops.roi_align(torch.ones(1, 1, 4, 4), boxes, 2).shape == (1, 1, 2, 2)
"""


@pytest.mark.full
def test_only_what_compiles_imports_the_compiler_and_only_dicom_its_reader():
    done = subprocess.run([sys.executable, "-c", STORY], capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
