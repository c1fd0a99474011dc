"""Export a checkpoint: as ONNX, as a torch.export program, or as a bundle with all its metadata.

`run` exports in a child process with resource limits. Its input is an `Order` and three files beside it.
"""

from models.serving.exports.order import ROWS, Order
from models.serving.exports.process import Exported, run

__all__ = ["ROWS", "Exported", "Order", "run"]
