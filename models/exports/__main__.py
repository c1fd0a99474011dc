"""``python -m models.exports FOLDER``: the process that `run` starts, on a leash."""

import os
import sys

from models.exports.sandbox import main
from models.leash import hold

hold(os.fdopen(0, "rb", closefd=False))
sys.exit(main())
