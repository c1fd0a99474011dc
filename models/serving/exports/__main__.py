"""``python -m models.serving.exports FOLDER``: the process that `run` starts, on a leash."""

import os
import sys

from athanor.processes.parent_watch import hold
from models.serving.exports.process import main

hold(os.fdopen(0, "rb", closefd=False))
sys.exit(main())
