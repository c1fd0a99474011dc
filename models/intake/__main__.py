"""``python -m models.intake PATH FILENAME DESTINATION``: the process that `run` starts, on a leash."""

import os
import sys

from models.intake.sandbox import main
from models.leash import hold

hold(os.fdopen(0, "rb", closefd=False))
sys.exit(main())
