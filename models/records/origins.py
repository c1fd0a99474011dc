"""Origins of forks: the parent's checkpoint and a copy of its files, so the parent may be deleted."""

from athanor import contract
from athanor.contract import CheckpointFile


class Origin(contract.Origin):
    """The files are in the store under `prefix`/name. They are stored before the job's row and deleted with the job."""

    prefix: str
    files: list[CheckpointFile]

    def key(self, name: str) -> str:
        """The store's key of the file `name`."""
        return f"{self.prefix}/{name}"


def prefix_of(job_id: str) -> str:
    """The store's prefix of a fork's copy of the files."""
    return f"jobs/{job_id}/origin"
