"""From an upload to a dataset: one Parquet file, a schema, and warnings in sentences.

`ingest` takes rows that can be trusted; `run` takes a stranger's file and reads it in a bounded process.
"""

from models.data.intake.canonical import Intake, ingest, preview
from models.data.intake.process import run

__all__ = ["Intake", "ingest", "preview", "run"]
