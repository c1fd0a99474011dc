"""Turn an upload into a dataset: one Parquet file, a schema and warnings.

`ingest` reads trusted rows in this process. `run` reads an untrusted file in a child process with resource limits.
"""

from models.data.intake.canonical import Intake, ingest, preview
from models.data.intake.process import run

__all__ = ["Intake", "ingest", "preview", "run"]
