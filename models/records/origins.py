"""Where a fork comes from, and its own copy of what it starts with: it needs its parent no more."""

from athanor import contract
from athanor.contract import CheckpointFile


class Origin(contract.Origin):
    """Files that are in the store under `prefix`/name before the job's row is, and go with the job."""

    prefix: str
    files: list[CheckpointFile]

    def key(self, name: str) -> str:
        """Where the store keeps the file called `name`."""
        return f"{self.prefix}/{name}"


def prefix_of(job_id: str) -> str:
    """Where a job keeps what it starts with."""
    return f"jobs/{job_id}/origin"
