"""Rules of an attempt: a trainer, the worker that holds it, and the store that keeps what it made."""

from tests.chaos.rules.mutant import Mutant

WORKER, STORAGE = "tests/worker", "tests/models/storage"

MUTANTS: dict[str, Mutant] = {
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
