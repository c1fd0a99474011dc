"""``python -m athanor.onnx_run FOLDER``: run a bundle's ONNX model on its golden inputs and compare its outputs.

FOLDER contains the members of a bundle, whose digests were checked before. It prints one line of JSON: the largest
absolute difference of the outputs, or an error. The model may be a stranger's: `athanor/verification.py` encloses it.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

from athanor.bundle import MODEL, OUTPUT, TENSORS


def difference(folder: Path) -> float:
    """The largest absolute difference from the golden outputs, infinite if one of them is no number."""
    tensors = load_file(folder / TENSORS)
    options = onnxruntime.SessionOptions()
    # Each thread reserves memory.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
    (outputs,) = session.run([OUTPUT], {name: tensors[name] for name in tensors.keys() - {OUTPUT}})
    wanted = tensors[OUTPUT]
    if outputs.shape != wanted.shape:
        return math.inf
    gap = float(np.abs(outputs.astype(np.float64) - wanted).max()) if wanted.size else 0.0
    return math.inf if math.isnan(gap) else gap


def main() -> int:
    try:
        print(json.dumps({"max_difference": difference(Path(sys.argv[1]))}))
    except Exception as error:  # the file may be anything, and the errors of onnxruntime have no common base class
        print(json.dumps({"error": (str(error) or type(error).__name__).splitlines()[0][:500]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
