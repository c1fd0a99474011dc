"""The rules that a job's survival rests on, each with the edit that breaks it and the tests that should notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One edit, and the tests that should notice."""

    broken: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


RECORDS, WORKER, STORAGE = "tests/models/records", "tests/worker", "tests/models/storage"
JOBS, TRANSITIONS, SNAPSHOT = "models/records/jobs.py", "models/records/transitions.py", "worker/snapshot.py"
RESUME = (f"{WORKER}/test_resume.py", "-k", "mlp-adam-everything or forgets or remembers or windows_move")

MUTANTS: dict[str, Mutant] = {
    "fence-transition": Mutant(
        "a transition by the holder does not ask which attempt it is",
        TRANSITIONS,
        "values, (Job.attempt == attempt, *guard),",
        "values, guard,",
        (f"{RECORDS}/test_transitions.py", f"{RECORDS}/test_job_life.py"),
    ),
    "fence-beat": Mutant(
        "a heartbeat does not ask which attempt it is",
        JOBS,
        ".where(Job.id == job_id, Job.attempt == attempt, Job.state.in_(Leased))\n        .values(**values)",
        ".where(Job.id == job_id, Job.state.in_(Leased))\n        .values(**values)",
        (f"{RECORDS}/test_transitions.py", f"{RECORDS}/test_job_life.py"),
    ),
    "fence-checkpoint": Mutant(
        "a checkpoint is committed by any attempt",
        JOBS,
        "running = update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == State.RUNNING)",
        "running = update(Job).where(Job.id == job_id)",
        (f"{RECORDS}/test_transitions.py", f"{WORKER}/test_report.py"),
    ),
    "attempt-not-raised": Mutant(
        "a claim keeps the number of the attempt before",
        JOBS,
        "attempt=Job.attempt + 1,",
        "attempt=1,",
        (f"{RECORDS}/test_jobs.py", f"{RECORDS}/test_job_life.py"),
    ),
    "claim-unguarded": Mutant(
        "two workers may take the same job: it is not locked, and not looked at again",
        JOBS,
        """        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = tx.execute(
        update(Job)
        .where(Job.id == best, *claimable(devices))
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
        "the reaper acts on what it read, not on what is",
        JOBS,
        "(Job.attempt == row.attempt, over),",
        "(),",
        (f"{RECORDS}/test_races.py",),
    ),
    "reap-ignores-wishes": Mutant(
        "a job whose worker was lost goes back to the queue though it was to be cancelled",
        JOBS,
        "    if _as_desired(tx, job_id, state, why, guard, values, actor):\n        return True\n    losses",
        "    losses",
        (f"{RECORDS}/test_jobs.py", f"{RECORDS}/test_job_life.py"),
    ),
    "drain-forgets-the-wish": Mutant(
        "a stopped attempt goes back to the queue though it was to be paused",
        JOBS,
        '        if _as_desired(tx, job_id, state, None, mine, {}, "supervisor"):\n            return\n',
        "",
        (f"{RECORDS}/test_jobs.py", f"{RECORDS}/test_job_life.py"),
    ),
    "wish-lost-in-a-race": Mutant(
        "the row is not held between one UPDATE and the next",
        TRANSITIONS,
        "    tx.execute(select(Job.id).where(Job.id == job_id).with_for_update())\n",
        "    pass\n",
        (f"{RECORDS}/test_races.py",),
    ),
    "points-not-truncated": Mutant(
        "points after the checkpoint stay when an attempt begins",
        JOBS,
        "    metrics.truncate(tx, row.id, step)\n",
        "",
        (f"{RECORDS}/test_claiming.py", f"{RECORDS}/test_job_life.py"),
    ),
    "losses-never-pardoned": Mutant(
        "a checkpoint does not reset the count of losses",
        JOBS,
        "running.values(no_progress_losses=0, version=Job.version + 1)",
        "running.values(version=Job.version + 1)",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "poison-for-ever": Mutant(
        "a job that kills its trainer is tried without end",
        JOBS,
        "(*guard, losses < MAX_LOSSES), actor):",
        "guard, actor):",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "exactness-claimed": Mutant(
        "a resume in another environment still calls itself exact",
        JOBS,
        '{} if exact else {"bit_exact": False}',
        "{}",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "key-not-checked": Mutant(
        "an Idempotency-Key with another body gets the old job",
        "models/records/repeats.py",
        "    if found.request_sha256 != request_sha256:\n        raise KeyReused\n",
        "",
        (f"{RECORDS}/test_jobs.py",),
    ),
    "ring-once": Mutant(
        "a job that was rung for is never rung for again",
        "models/records/queue.py",
        "due = or_(Job.last_rung_at.is_(None), Job.last_rung_at < now() - age)",
        "due = Job.last_rung_at.is_(None)",
        (f"{RECORDS}/test_queue.py",),
    ),
    "dead-not-noticed": Mutant(
        "another process with the same number passes for the worker that died",
        "models/records/queue.py",
        "if began is None or not (began == row.pid_started or math.isnan(began)):",
        "if began is None:",
        (f"{RECORDS}/test_queue.py",),
    ),
    "store-renames-first": Mutant(
        "a stored file gets its name before its bytes are safe",
        "models/storage/folder.py",
        "                os.fsync(writer.fileno())\n            partial.rename(target)\n",
        "            partial.rename(target)\n",
        (f"{STORAGE}/test_folder.py",),
    ),
    "store-forgets-the-folder": Mutant(
        "the name of a stored file is not synced",
        "models/storage/folder.py",
        "            sync_folder(self.root / folder)\n",
        "            pass\n",
        (f"{STORAGE}/test_folder.py",),
    ),
    "digest-not-compared": Mutant(
        "a checkpoint is used whatever its bytes are",
        "models/storage/store.py",
        "if sha256 is not None and digest.hexdigest() != sha256:",
        "if False:",
        (f"{STORAGE}/test_stores.py",),
    ),
    "snapshot-renames-first": Mutant(
        "a snapshot gets its name before it is synced",
        SNAPSHOT,
        "            os.fsync(file.fileno())\n",
        "",
        (f"{WORKER}/test_snapshot.py",),
    ),
    "snapshot-in-place": Mutant(
        "a snapshot is written under its own name",
        SNAPSHOT,
        'partial = folder.with_name(folder.name + ".part")\n    partial.mkdir()',
        "partial = folder\n    partial.mkdir()",
        (f"{WORKER}/test_snapshot.py",),
    ),
    "torch-rng-lost": Mutant(
        "torch's generator is not restored",
        SNAPSHOT,
        '    torch.set_rng_state(arrays["rng.torch"])\n',
        "",
        RESUME,
    ),
    "numpy-rng-lost": Mutant(
        "numpy's generator is not restored",
        SNAPSHOT,
        '    np.random.set_state(("MT19937", arrays["rng.numpy"].numpy().astype(np.uint32), *scalars["numpy"]))\n',
        "",
        RESUME,
    ),
    "python-rng-lost": Mutant(
        "Python's generator is not restored",
        SNAPSHOT,
        "    random.setstate((version, tuple(rest[0]), rest[1]))\n",
        "",
        RESUME,
    ),
    "optimizer-lost": Mutant(
        "the optimizer's state is not restored",
        SNAPSHOT,
        '    _restore_optimizer(learner.optimizer, _below(arrays, "optimizer."), scalars["optimizer"])\n',
        "",
        RESUME,
    ),
    "average-lost": Mutant(
        "the average of the weights is not restored",
        SNAPSHOT,
        "        _fill(learner.average, weights)\n",
        "",
        RESUME,
    ),
    "memory-lost": Mutant(
        "patience and the best so far are not restored",
        SNAPSHOT,
        '    learner.memory = Memory(**_known(Memory, scalars["memory"]))\n',
        '    learner.memory = Memory(step=scalars["memory"]["step"])\n',
        RESUME,
    ),
    "past-lost": Mutant(
        "the folds that are done are not remembered",
        SNAPSHOT,
        '    return Past(**_known(Past, json.loads((folder / SCALARS).read_text()).get("past", {})))\n',
        "    return Past()\n",
        (f"{WORKER}/test_snapshot.py", f"{WORKER}/test_trial.py"),
    ),
    "epochs-alike": Mutant(
        "every epoch has the order of the first",
        "worker/feed.py",
        "manual_seed((seed << 24) + epoch)",
        "manual_seed(seed << 24)",
        (f"{WORKER}/test_loop.py",),
    ),
    "loader-draws": Mutant(
        "the processes that make batches are seeded from the generator of the dropout",
        "worker/feed.py",
        "                generator=torch.Generator(),\n",
        "",
        (f"{WORKER}/test_feed.py",),
    ),
    "augmentation-by-batch": Mutant(
        "an augmentation draws by the place in the batch",
        "worker/batch.py",
        "draws = Draws(self.seed, epoch, place, rows_B)",
        "draws = Draws(self.seed, epoch, place, torch.arange(len(rows_B)))",
        (f"{WORKER}/test_batch.py",),
    ),
    "leader-alone-killed": Mutant(
        "of a trainer's group only the leader is killed",
        "worker/process.py",
        "os.killpg(group, signal.SIGKILL)",
        "os.kill(group, signal.SIGKILL)",
        # Of the others, one waits for ever for the group to be gone: right, and no verdict.
        (f"{WORKER}/test_process.py", "-k", "stranger"),
    ),
    "killed-unheard": Mutant(
        "the end of a trainer that had to be killed is waited for in vain",
        "worker/supervisor.py",
        "if self.grace < 0:\n            self.trainer.kill()",
        "if self.grace < 0:\n            self.trainer.close()",
        (f"{WORKER}/test_recovery.py", "-k", "does_not_listen"),
    ),
    "downtime-counted": Mutant(
        "the time until a lost worker is noticed counts as work",
        TRANSITIONS,
        'end = moved.beat_at if actor == "sweep" and moved.beat_at is not None else now()',
        "end = now()",
        (f"{RECORDS}/test_jobs.py", "-k", "without_power"),
    ),
    "disk-blamed-on-the-job": Mutant(
        "a full disk is held against the job",
        JOBS,
        "losses = Job.no_progress_losses + (1 if after is None else 0)",
        "losses = Job.no_progress_losses + 1",
        (f"{RECORDS}/test_jobs.py", "-k", "full_disk"),
    ),
    "reaps-in-its-sleep": Mutant(
        "leases that nobody could renew while the database stood still are reaped",
        "worker/station.py",
        "reaps = reaps and self._may_reap()",
        "reaps = bool(reaps)",
        (f"{WORKER}/test_station.py",),
    ),
    "last-words-cut": Mutant(
        "the end of a trainer overtakes what it said, where its supervisor waits for the database",
        "worker/process.py",
        "left -= 0.0 if self.inbox.full() else 0.05",
        "left -= 0.05",
        (f"{WORKER}/test_process.py", "-k", "last_words"),
    ),
    "begins-but-once": Mutant(
        "a trainer whose beginning was written, but not answered, is fenced off",
        JOBS,
        "    if tx.scalar(select(Job.id).join(Attempt, Attempt.job_id == Job.id).where(*running, *begun)):\n",
        "    if False:\n",
        (f"{RECORDS}/test_transitions.py", "-k", "once_more"),
    ),
    "bare-place-written": Mutant(
        "checkpoints are written to the place of a disk that is not mounted",
        "models/storage/folder.py",
        "if self._was_there or (",
        "if False and (",
        (f"{STORAGE}/test_folder.py", "-k", "mounted"),
    ),
    "rows-not-compared": Mutant(
        "a job learns from whatever the store has for its rows",
        "models/storage/store.py",
        "return fetch(store, blob.key, destination, blob.sha256)",
        "return fetch(store, blob.key, destination)",
        ("tests/api/test_shelving.py", "-k", "lost_are"),
    ),
    "leash-slips": Mutant(
        "a trainer outlives its supervisor",
        "models/leash.py",
        "        end(os.getpid(), signal.SIGKILL)\n",
        "        pass\n",
        (f"{WORKER}/test_process.py",),
    ),
    "secrets-passed-on": Mutant(
        "a trainer learns the whole environment",
        "worker/process.py",
        "environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}",
        "environment = dict(os.environ)",
        (f"{WORKER}/test_process.py",),
    ),
    "walls-open": Mutant(
        "a trainer may read and write wherever its user may",
        "models/confinement.py",
        "            rules.restrict()\n",
        "",
        (f"{WORKER}/test_sandbox.py",),
    ),
    "links-followed": Mutant(
        "a link in the trainer's folder is published as its checkpoint",
        "worker/report.py",
        "if path.is_symlink() or not path.is_file():",
        "if not path.is_file():",
        (f"{WORKER}/test_report.py",),
    ),
    "later-files-removed": Mutant(
        "an attempt that is over removes what the next is about to commit",
        "worker/report.py",
        "if attempt and int(attempt[1]) <= self.attempt:",
        "if attempt:",
        (f"{WORKER}/test_report.py",),
    ),
    "runs-ahead": Mutant(
        "a trainer writes snapshots faster than its supervisor takes them",
        "worker/trial.py",
        "        self.pipe.await_taking(self.work.folder)\n",
        "",
        (f"{WORKER}/test_trial.py", "-k", "last_snapshot"),
    ),
    "store-eats-grace": Mutant(
        "the time that a store takes counts as a trainer's that does not stop",
        "worker/supervisor.py",
        "turn, turned = min(now - turned, 2 * every), now",
        "turn, turned = now - turned, now",
        (f"{WORKER}/test_supervisor.py", "-k", "none_of_its"),
    ),
    "stopped-with-the-rest": Mutant(
        "a trainer heeds the signal that its worker should",
        "worker/trainer.py",
        "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):",
        "for number in (signal.SIGINT,):",
        (f"{WORKER}/test_recovery.py", "-k", "every_process"),
    ),
    "unnamed-at-first": Mutant(
        "nobody knows a trainer before its attempt has begun",
        JOBS,
        "            pid=pid,\n            pid_started=pid_started,\n",
        "",
        (f"{RECORDS}/test_queue.py",),
    ),
    "strays-condemn": Mutant(
        "a stray file beside checkpoints has them removed",
        "worker/report.py",
        r'rf"{job}/a(\d+)/step-\d+"',
        r'rf"{job}/a(\d+).*"',
        (f"{WORKER}/test_report.py",),
    ),
    "ended-for-another": Mutant(
        "a trainer named in a claim that got no answer is given another job",
        "worker/station.py",
        "            slot.empty()\n            raise\n",
        "            raise\n",
        (f"{WORKER}/test_station.py", "-k", "without_an_answer"),
    ),
    "clock-believed": Mutant(
        "a clock that is set forward ends leases that are kept",
        "worker/station.py",
        "if self._ahead - before > self.settings.timing.lease / 2:",
        "if False:",
        (f"{WORKER}/test_station.py", "-k", "set_forward"),
    ),
}
