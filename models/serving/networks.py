"""The warm parent of the children that run networks: it has imported torch and what exports need."""

from athanor.processes.warm import WarmParent

# Without onnxruntime: it starts a thread when it is imported, and a fork would have no such thread.
PARENT = WarmParent(
    "models.serving.prediction",
    "torch.export",
    "torch.onnx",
    "torch._dynamo",
    "onnxscript.function_libs.torch_lib.ops",
)
