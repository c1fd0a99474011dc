"""``python -m models.intake PATH FILENAME DESTINATION``: the process that `run` starts."""

import sys

from models.intake.sandbox import main

sys.exit(main())
