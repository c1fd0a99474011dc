"""``python -m models.data.intake PATH FILENAME DESTINATION``: the child process that `run` starts."""

import sys

from models.data.intake.process import main

sys.exit(main())
