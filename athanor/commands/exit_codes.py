"""Exit codes of the commands."""

from enum import IntEnum


class ExitCode(IntEnum):
    SUCCEEDED = 0
    ERROR = 1
    USAGE = 2
    JOB_FAILED = 3
    JOB_CANCELLED = 4
    REFUSED = 5
    UNREACHABLE = 6
    TIMED_OUT = 7
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.SUCCEEDED: "success; for wait and watch: the job succeeded",
    ExitCode.ERROR: "another error on this machine, such as a file that cannot be written",
    ExitCode.USAGE: "a command or an option that does not exist or is wrong",
    ExitCode.JOB_FAILED: "the job that was waited for failed",
    ExitCode.JOB_CANCELLED: "the job that was waited for was cancelled",
    ExitCode.REFUSED: "a refused request (4xx), or a job, dataset or part that does not exist",
    ExitCode.UNREACHABLE: "the service does not answer or is unavailable (5xx)",
    ExitCode.TIMED_OUT: "wait --timeout: the job did not end in time",
    ExitCode.INTERRUPTED: "interrupted with ^C; the job continues",
}


def of(error: Exception) -> ExitCode:
    """The exit code for an error that ends a command."""
    from athanor.errors import (
        AthanorError,
        JobCancelled,
        JobFailed,
        MalformedAddress,
        ServiceUnavailable,
        UnknownReference,
        Unreachable,
    )

    match error:
        case JobFailed():
            return ExitCode.JOB_FAILED
        case JobCancelled():
            return ExitCode.JOB_CANCELLED
        case Unreachable() | ServiceUnavailable():
            return ExitCode.UNREACHABLE
        case MalformedAddress():
            return ExitCode.USAGE
        case UnknownReference():
            return ExitCode.REFUSED
        case TimeoutError():
            return ExitCode.TIMED_OUT
        case AthanorError(problem=problem) if problem is not None:
            return ExitCode.UNREACHABLE if problem.status >= 500 else ExitCode.REFUSED
    return ExitCode.ERROR


def epilog() -> str:
    """The table for the end of --help. The backspace character keeps click from joining its lines."""
    lines = "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in MEANINGS.items())
    return f"\b\nExit codes:\n{lines}"
