"""``python -m models.serving.exports.verification FOLDER``: rebuild a bundle's network and check its outputs.

FOLDER contains the members of a bundle, whose digests were checked before. It prints one line of JSON: the largest
difference of the outputs, or an error. The bundle may be a stranger's, so `athanor/verification.py` encloses it.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from athanor.bundle import ABOUT, GOLDENS, INPUT, OUTPUT, SPEC, TENSORS
from athanor.contract import Column
from athanor.files import PREPARATION, WEIGHTS
from models.data.preparation.examples import Preparation
from models.nn.named_tensors import call
from models.planning.spec import JobSpec
from models.serving.exports.program import difference, named
from models.serving.prediction import Predictor


def verify(folder: Path) -> float:
    """The largest absolute difference of the rebuilt network's outputs from the golden ones. Raises ValueError."""
    spec = JobSpec.model_validate_json((folder / SPEC).read_text())
    about = json.loads((folder / ABOUT).read_text())
    columns = [Column.model_validate(column) for column in about["columns"]]
    _check_sizes(spec, folder)
    predictor = Predictor.rebuild(spec, columns, folder)
    tensors = load_file(folder / TENSORS)
    x = predictor.encode(json.loads((folder / GOLDENS).read_text())["rows"])
    if predictor.preparation.target.part.self_supervised:
        assert isinstance(x, torch.Tensor)
        x = x[:, : tensors[INPUT].shape[1]]
    with torch.no_grad():
        y = call(predictor.module, x)
    read = [difference(each, tensors[name]) for name, each in named(x).items()]
    return max(*read, difference(y, tensors[OUTPUT]))


def _check_sizes(spec: JobSpec, folder: Path) -> None:
    """Raises ValueError if the network and the weights differ in shape. It uses no memory for the network.

    The spec is untrusted and may describe a network of any size.
    """
    preparation = Preparation.model_validate_json((folder / PREPARATION).read_text())
    with torch.device("meta"):
        network = spec.architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
    wanted = {name: list(value.shape) for name, value in network.state_dict().items()}
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        held = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 -- not a dict
    if wanted != held:
        raise ValueError("the weights are not those of the network that the spec describes")


def main() -> int:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    try:
        print(json.dumps({"max_difference": verify(folder)}))
    except (ValueError, KeyError, RuntimeError) as error:
        print(json.dumps({"error": str(error).splitlines()[0][:500]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
