"""Rules of an exact resume: the content and the safety of a snapshot, and what a batch depends on."""

from tests.chaos.rules.mutant import Mutant

WORKER = "tests/worker"
RESUME = (f"{WORKER}/test_resume.py", "-k", "mlp-adam-everything or forgets or remembers or windows_move")

MUTANTS: dict[str, Mutant] = {
    "snapshot-renames-first": Mutant(
        "a snapshot is renamed before it is synced",
        "worker.training:write",
        "            os.fsync(file.fileno())\n",
        "",
        (f"{WORKER}/training/test_snapshot.py",),
    ),
    "snapshot-in-place": Mutant(
        "a snapshot is written under its final name",
        "worker.training:write",
        'partial = folder.with_name(folder.name + ".part")\n    partial.mkdir()',
        "partial = folder\n    partial.mkdir()",
        (f"{WORKER}/training/test_snapshot.py",),
    ),
    "draws-continue": Mutant(
        "the random numbers of a step depend on how many were drawn before it",
        "worker.training.step:forward",
        "    learner.random.begin(learner.state.step, learner.device)\n",
        "",
        RESUME,
    ),
    "draws-continue-at-large": Mutant(
        "the same, in a whole service whose trainer is killed at its sixtieth step",
        "worker.training.step:forward",
        "    learner.random.begin(learner.state.step, learner.device)\n",
        "",
        ("tests/chaos/test_failpoints.py", "-m", "proof", "-k", "embedded and trainer-steps"),
    ),
    "global-draws-continue": Mutant(
        "torch's global generator is not seeded at each step",
        "models.nn.dropout:StepRandom.begin",
        "        torch.default_generator.manual_seed(self._key(-1))\n",
        "",
        ("tests/models/nn/test_dropout.py",),
    ),
    "optimizer-lost": Mutant(
        "the optimizer's state is not restored",
        "worker.training:restore",
        '    _restore_optimizer(learner.optimizer, _below(arrays, "optimizer."), scalars["optimizer"])\n',
        "",
        RESUME,
    ),
    "average-lost": Mutant(
        "the average of the weights is not restored",
        "worker.training:restore",
        "        _fill(learner.average, weights)\n",
        "",
        RESUME,
    ),
    "memory-lost": Mutant(
        "patience and the best value so far are not restored",
        "worker.training:restore",
        '    learner.state = LoopState(**_known(LoopState, scalars["state"]))\n',
        '    learner.state = LoopState(step=scalars["state"]["step"])\n',
        RESUME,
    ),
    "past-lost": Mutant(
        "the completed folds are not restored",
        "worker.training:completed_folds",
        '    return CompletedFolds(**_known(CompletedFolds, scalars["completed_folds"]))\n',
        "    return CompletedFolds()\n",
        (f"{WORKER}/training/test_snapshot.py", f"{WORKER}/training/test_run.py"),
    ),
    "epochs-alike": Mutant(
        "every epoch has the order of the first epoch",
        "worker.training:order",
        "manual_seed((seed << 24) + epoch)",
        "manual_seed(seed << 24)",
        (f"{WORKER}/training/test_loop.py",),
    ),
    "augmentation-by-batch": Mutant(
        "an augmentation draws by the position in the batch",
        "worker.training:AugmentedBatches._augment",
        "draws = CounterRNG(self.seed, epoch, place, rows_B)",
        "draws = CounterRNG(self.seed, epoch, place, torch.arange(len(rows_B)))",
        (f"{WORKER}/training/test_batch.py",),
    ),
}
