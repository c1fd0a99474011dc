"""Rules of the jobs table: which attempt may write, and what happens to a job after an attempt."""

from tests.chaos.rules.mutant import Mutant

RECORDS, WORKER = "tests/models/records", "tests/worker"

MUTANTS: dict[str, Mutant] = {
    "fence-transition": Mutant(
        "a transition does not check the attempt",
        "models.records.transitions:held",
        "values, (Job.attempt == attempt,),",
        "values, (),",
        (f"{RECORDS}/test_transitions.py", f"{RECORDS}/test_job_life.py"),
    ),
    "fence-beat": Mutant(
        "a heartbeat does not check the attempt",
        "models.records.jobs:beat",
        ".where(Job.id == job_id, Job.attempt == attempt, Job.state.in_(LEASED))\n        .values(**values)",
        ".where(Job.id == job_id, Job.state.in_(LEASED))\n        .values(**values)",
        (f"{RECORDS}/test_transitions.py", f"{RECORDS}/test_job_life.py"),
    ),
    "fence-checkpoint": Mutant(
        "any attempt can commit a checkpoint",
        "models.records:commit_checkpoint",
        "running = update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == State.RUNNING)",
        "running = update(Job).where(Job.id == job_id)",
        (f"{RECORDS}/test_transitions.py", f"{WORKER}/supervision/test_report.py"),
    ),
    "attempt-not-raised": Mutant(
        "a claim does not increase the number of the attempt",
        "models.records:claim",
        "attempt=Job.attempt + 1,",
        "attempt=1,",
        (f"{RECORDS}/test_jobs.py", f"{RECORDS}/test_job_life.py"),
    ),
    "claim-unguarded": Mutant(
        "two workers can claim the same job: its row is neither locked nor checked again",
        "models.records:claim",
        """        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = tx.execute(
        update(Job)
        .where(Job.id == best, *claimable(devices, worker_id))
""",
        """        .scalar_subquery()
    )
    row = tx.execute(
        update(Job)
        .where(Job.id == best)
""",
        (f"{RECORDS}/test_races.py",),
    ),
    "reap-without-recheck": Mutant(
        "the reaper does not check a lease again before it acts",
        "models.records:reap",
        "(Job.attempt == row.attempt, over),",
        "(),",
        (f"{RECORDS}/test_races.py",),
    ),
    "reap-ignores-wishes": Mutant(
        "a job whose worker was lost is queued although the user has cancelled it",
        "models.records:_lost",
        "    if _as_desired(tx, job_id, state, why, guard, values, actor):\n        return True\n    losses",
        "    losses",
        (f"{RECORDS}/test_jobs.py", f"{RECORDS}/test_job_life.py"),
    ),
    "drain-forgets-the-wish": Mutant(
        "a job whose attempt stopped is queued although the user has paused it",
        "models.records:release",
        '        if _as_desired(tx, job_id, state, None, mine, {}, "supervisor"):\n            return\n',
        "",
        (f"{RECORDS}/test_jobs.py", f"{RECORDS}/test_job_life.py"),
    ),
    "wish-lost-in-a-race": Mutant(
        "the row is not locked between two UPDATEs",
        "models.records:lock",
        "    tx.execute(select(Job.id).where(Job.id == job_id).with_for_update())\n",
        "    pass\n",
        (f"{RECORDS}/test_races.py",),
    ),
    "points-not-truncated": Mutant(
        "a claim does not remove the points after the checkpoint",
        "models.records:claim",
        "    metrics.truncate(tx, row.id, step)\n",
        "",
        (f"{RECORDS}/test_claiming.py", f"{RECORDS}/test_job_life.py"),
    ),
    "losses-never-pardoned": Mutant(
        "a checkpoint does not reset the number of losses",
        "models.records:commit_checkpoint",
        "running.values(no_progress_losses=0, version=Job.version + 1)",
        "running.values(version=Job.version + 1)",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "poison-for-ever": Mutant(
        "a job that kills its trainer is tried again without a limit",
        "models.records:_lost",
        "(*guard, losses < MAX_LOSSES), actor):",
        "guard, actor):",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "exactness-claimed": Mutant(
        "a resume in another environment is reported as exact",
        "models.records:begin",
        '{"bit_exact": False} if changed else {}',
        "{}",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "key-not-checked": Mutant(
        "an Idempotency-Key with another body returns the earlier job",
        "models.records:earlier",
        "    if found.request_sha256 != request_sha256:\n        raise KeyReused\n",
        "",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "ring-once": Mutant(
        "workers never ring for a job a second time",
        "models.records:to_ring",
        "due = or_(Job.last_rung_at.is_(None), Job.last_rung_at < now() - age)",
        "due = Job.last_rung_at.is_(None)",
        (f"{RECORDS}/test_queue.py",),
    ),
    "dead-not-noticed": Mutant(
        "a process with the same id is taken for the worker that died",
        "models.records:expire_dead.is_gone",
        "return began is None or not (began == pid_started or math.isnan(began))",
        "return began is None",
        (f"{RECORDS}/test_queue.py",),
    ),
    "downtime-counted": Mutant(
        "the time until the loss of a worker is noticed counts as run time",
        "models.records:move",
        'end = moved.beat_at if actor == "sweep" and moved.beat_at is not None else now()',
        "end = now()",
        (f"{RECORDS}/test_jobs.py", "-k", "without_power"),
    ),
    "disk-blamed-on-the-job": Mutant(
        "a full disk counts as a failure of the job",
        "models.records:_lost",
        "losses = Job.no_progress_losses + (1 if after is None else 0)",
        "losses = Job.no_progress_losses + 1",
        (f"{RECORDS}/test_jobs.py", "-k", "full_disk"),
    ),
    "begins-but-once": Mutant(
        "a trainer loses the job if the answer to its begin is lost",
        "models.records:begin",
        '    if begun is not None and [each["pid"] for each in begun] == [each["pid"] for each in named]:\n',
        "    if False:\n",
        (f"{RECORDS}/test_transitions.py", "-k", "once_more"),
    ),
    "unnamed-at-first": Mutant(
        "a claim does not record the process of the trainer",
        "models.records:claim",
        "            processes=attempts.stored(processes) or None,\n",
        "",
        (f"{RECORDS}/test_queue.py",),
    ),
}
