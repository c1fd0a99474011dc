"""A checkpoint for use elsewhere: as ONNX, as a torch.export program, or as a bundle with everything around it.

`run` makes one in a bounded process of its own; what it is made of is an `Order` and three files beside it.
"""

from models.serving.exports.order import ROWS, Order
from models.serving.exports.process import Exported, run

__all__ = ["ROWS", "Exported", "Order", "run"]
