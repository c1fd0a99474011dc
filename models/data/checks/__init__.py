"""Checks of a dataset for what makes results look better than they are: leaks, copies, identifiers, odd classes.

`inspect` looks at an upload, `inspect_job` at the rows of a job, when their parts are known. `concerns` says which
warnings about an upload a job shares. `is_named_id` and `divides_rows` tell columns that are no target. All use NumPy
and Arrow.
"""

from models.data.checks.concern import concerns
from models.data.checks.identifiers import is_named_id
from models.data.checks.job import inspect_job
from models.data.checks.parts import divides_rows
from models.data.checks.upload import Inspection, inspect

__all__ = ["Inspection", "concerns", "divides_rows", "inspect", "inspect_job", "is_named_id"]
