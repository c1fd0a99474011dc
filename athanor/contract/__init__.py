"""The contract: every object that clients and the API exchange, as a pydantic model."""

from athanor.contract.base import Answer, Frozen
from athanor.contract.catalog import Catalog, ExportFormat, PartInfo
from athanor.contract.checkpoint import Checkpoint, CheckpointFile
from athanor.contract.dataset import Column, Dataset, Hints, Preview, Schema, Stored, Warned
from athanor.contract.encodings import Encoding, NamedEncoding
from athanor.contract.event import Event
from athanor.contract.finding import Evidence, Finding, Interval
from athanor.contract.job import (
    LEASED,
    TERMINAL,
    Baseline,
    CrossValidation,
    Job,
    JobError,
    Origin,
    Progress,
    Spread,
    State,
    Transition,
    Waiting,
)
from athanor.contract.jobspec import (
    MAX_BATCH,
    CheckpointPolicy,
    DatasetChoice,
    Direction,
    EarlyStopping,
    Fork,
    Hyperparameters,
    Initialization,
    JobSpec,
    MetricsPolicy,
    Name,
    Part,
    Resources,
    WeightAveraging,
)
from athanor.contract.metrics import Metrics, Point, Series
from athanor.contract.page import Page
from athanor.contract.plan import ColumnRole, Plan
from athanor.contract.prediction import Generation, PredictedFile, Predictions, Remarks, Rows, Scores
from athanor.contract.problem import Fault, Problem
from athanor.contract.worker import Device, Worker

__all__ = [
    "LEASED",
    "MAX_BATCH",
    "TERMINAL",
    "Answer",
    "Baseline",
    "Catalog",
    "Checkpoint",
    "CheckpointFile",
    "CheckpointPolicy",
    "Column",
    "ColumnRole",
    "CrossValidation",
    "Dataset",
    "DatasetChoice",
    "Device",
    "Direction",
    "EarlyStopping",
    "Encoding",
    "Event",
    "Evidence",
    "ExportFormat",
    "Fault",
    "Finding",
    "Fork",
    "Frozen",
    "Generation",
    "Hints",
    "Hyperparameters",
    "Initialization",
    "Interval",
    "Job",
    "JobError",
    "JobSpec",
    "Metrics",
    "MetricsPolicy",
    "Name",
    "NamedEncoding",
    "Origin",
    "Page",
    "Part",
    "PartInfo",
    "Plan",
    "Point",
    "PredictedFile",
    "Predictions",
    "Preview",
    "Problem",
    "Progress",
    "Remarks",
    "Resources",
    "Rows",
    "Schema",
    "Scores",
    "Series",
    "Spread",
    "State",
    "Stored",
    "Transition",
    "Waiting",
    "Warned",
    "WeightAveraging",
    "Worker",
]
