"""ONNX export. The metadata contain all that is needed for use, and onnxruntime compares it with the network."""

import logging
import warnings
from typing import Any

import onnxruntime
import torch

from athanor.bundle import OUTPUT
from models.errors import SpecError
from models.nn.named_tensors import call
from models.serving.exports.program import Traced, check, difference, named

OPSET = 20
LARGEST = 2**31 - 2**24
"""The largest size of the weights in bytes: a protobuf has at most 2 GiB and also contains the graph."""


def render(traced: Traced, metadata: dict[str, str], bound: float) -> tuple[bytes, float]:
    """An ONNX model, and the largest absolute difference from the network's own outputs. Raises SpecError."""
    weights = sum(value.numel() * value.element_size() for value in traced.module.state_dict().values())
    if weights > LARGEST:
        raise SpecError(
            "?format",
            f"the weights are {weights:,} bytes; an ONNX file holds {LARGEST:,} at most",
            code="over_limit",
            suggestion="format=pt2 or bundle",
        )
    program = _translate(traced)
    gap = check(_difference(_bytes(program), traced), bound, "ONNX model")
    # Sorted by name, so that equal models have equal bytes.
    program.model.metadata_props.update(sorted({**metadata, "max_difference": f"{gap:.9g}"}.items()))
    return _bytes(program), gap


def _translate(traced: Traced) -> torch.onnx.ONNXProgram:
    # The exporter warns that torchvision is missing, but this code does not need it.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                traced.program,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(named(traced.x)),
                output_names=[OUTPUT],
                dynamic_shapes=traced.dynamic_shapes,
            )
        except Exception as error:  # the exporter raises errors of many types
            why = str(error).strip().splitlines()[0]
            raise SpecError(
                "?format", f"it cannot be written as ONNX: {why}", code="cannot_export", suggestion="format=bundle"
            ) from error
    assert program is not None
    _forget_places(program.model.graph)
    return program


def _forget_places(graph: Any) -> None:
    """Remove metadata about the source code: it contains local paths and is more than half of the file."""
    graph.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    for node in graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
        for attribute in node.attributes.values():
            if attribute.type.name == "GRAPH":
                _forget_places(attribute.as_graph())


def _bytes(program: torch.onnx.ONNXProgram) -> bytes:
    written: bytes = program.model_proto.SerializeToString(deterministic=True)
    return written


def _difference(model: bytes, traced: Traced) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    with torch.no_grad():
        for x in traced.trials():
            (y,) = session.run([OUTPUT], {name: each.numpy() for name, each in named(x).items()})
            worst = max(worst, difference(torch.from_numpy(y), call(traced.module, x)))
    return worst
