"""Turn an upload into a dataset: one Parquet file, a schema and warnings.

`ingest` and `preview` read trusted rows in this process. `run` and `run_preview` read those of strangers in a child
process with limits.
"""

from models.data.intake.canonical import Intake, ingest
from models.data.intake.description import run as run_description
from models.data.intake.hints import ReadHints, identity
from models.data.intake.preview import preview
from models.data.intake.preview import run as run_preview
from models.data.intake.process import run
from models.data.intake.warm import PARENT

__all__ = ["PARENT", "Intake", "ReadHints", "identity", "ingest", "preview", "run", "run_description", "run_preview"]
