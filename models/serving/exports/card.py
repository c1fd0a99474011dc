"""The model card of a bundle: the network, its data, its results, and how to run it.

The sections are those of Mitchell et al. 2019, "Model Cards for Model Reporting". Sections that only the author of the
model can write are left out.
"""

from typing import Any

from athanor.bundle import INPUT, OUTPUT
from athanor.contract import Job
from models.serving.exports.order import Order
from models.serving.prediction import Predictor

READS = {
    "vector": "`float32[batch, {shape}]`",
    "image": "images: `float32[batch, {shape}]`",
    "text": "word or token numbers, 0 for padding on the right: `int64[batch, length]`, at most {shape} of them",
}


def write(order: Order, predictor: Predictor, no_onnx: str | None, environment: dict[str, Any]) -> str:
    """The card as Markdown."""
    job, checkpoint, dataset = order.job, order.checkpoint, order.dataset
    target = predictor.preparation.target
    parameters = sum(parameter.numel() for parameter in predictor.module.parameters())
    trained = environment["trained"] or {}
    lines = [
        f"# {job.name or job.id}",
        "",
        f"`{order.resolved.spec.architecture.kind}`, {parameters:,} parameters, for {target.task.replace('_', ' ')}. "
        f"Trained by Athanor {environment['exported']['athanor']}: job `{job.id}`, checkpoint `{checkpoint.id}` at "
        f"step {checkpoint.step} (epoch {checkpoint.epoch:g}).",
        "",
        "## Intended use",
        "",
        "*To be written by its author: what it is for, what it is not for, who may be harmed.*",
        "",
        "## Data",
        "",
        f"`{dataset.name}` ({dataset.format}, {dataset.rows:,} rows), sha256 `{dataset.sha256}`. "
        f"Learned from {_listed([column.name for column in predictor.columns])}"
        + ("." if target.column is None else f" to `{target.column}`."),
        "",
        "## Results",
        "",
        *_results(job),
        "",
        "This job did not use the rows of `test/*` for training or for choosing a checkpoint."
        + (f" It started from weights of job `{job.origin.job_id}`, which may have seen them." if job.origin else "")
        + (f" These weights have not seen fold {checkpoint.fold}." if checkpoint.fold is not None else ""),
        "",
        "## Training",
        "",
        f"`spec.json` has every choice. On {trained.get('device', 'an unknown device')}, "
        f"torch {trained.get('torch', 'unknown')}, Python {trained.get('python', 'unknown')}.",
        "",
        "## Use",
        "",
        f"{_inputs(predictor)}, made from raw rows as `preparation.json` says (`encoder`). "
        f"`{OUTPUT}`: {target.part.outputs_are}.",
        "",
        *_loading(no_onnx, _names(predictor)),
        "",
        "`athanor verify` checks every digest, and that the network still gives the outputs in `goldens.safetensors` "
        "for the rows in `goldens.json`. Those rows are from the dataset: share them only where you may share it.",
    ]
    return "\n".join(lines) + "\n"


def _names(predictor: Predictor) -> list[str]:
    """The names of the inputs in the exported model."""
    inputs = predictor.preparation.named_inputs()
    return list(inputs) if len(inputs) > 1 else [INPUT]


def _inputs(predictor: Predictor) -> str:
    inputs = zip(_names(predictor), predictor.preparation.named_inputs().values(), strict=True)
    return "; ".join(
        f"`{name}`: {READS[each.kind].format(shape=', '.join(map(str, each.shape)))}" for name, each in inputs
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _results(job: Job) -> list[str]:
    """A Markdown table of the series for which higher or lower is better, with the baseline."""
    trivial = job.baseline.values if job.baseline else {}
    lines = [
        f"| series | last | best | at step | {job.baseline.kind if job.baseline else 'baseline'} |",
        "|---|---|---|---|---|",
    ]
    for name, point in sorted(job.latest.items()):
        if name in job.best:
            best = job.best[name]
            beside = f"{trivial[name]:.6g}" if name in trivial else ""
            lines.append(f"| {name} | {point.value:.6g} | {best.value:.6g} | {best.step} | {beside} |")
    for name, spread in sorted(job.folds.series.items() if job.folds else ()):
        deviation = "" if spread.std is None else f" ± {spread.std:.6g}"
        lines.append(f"| {name}, of {len(spread.values)} folds | {spread.mean:.6g}{deviation} | | | |")
    return lines


def _loading(no_onnx: str | None, names: list[str]) -> list[str]:
    if no_onnx is not None:
        return [f"There is no `model.onnx`: {no_onnx}. The weights are in `weights.safetensors`."]
    given = ", ".join(f'"{name}": {name}' for name in names)
    return [
        "```python",
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("model.onnx")',
        f'(outputs,) = session.run(["{OUTPUT}"], {{{given}}})',
        "```",
    ]
