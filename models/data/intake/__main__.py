"""``python -m models.data.intake PATH FILENAME DESTINATION``: the process that `run` starts, on a leash."""

import os
import sys

from athanor.processes.parent_watch import hold
from models.data.intake.process import main

hold(os.fdopen(0, "rb", closefd=False))
sys.exit(main())
