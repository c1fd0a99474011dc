"""The nouns, on two shelves that never touch.

*What can be trained* (torch, no SQL): ``architectures``, ``losses``, ``optimizers``, ``schedules``, ``augmentations``
and ``datasets`` hold one part a file; ``formats`` reads what people upload; ``spec`` and ``rehearsal`` say what a job
means and whether it can work.

*What was trained* (SQL, no torch): ``records`` are rows, ``storage`` is bytes, ``broker`` rings a worker.
"""
