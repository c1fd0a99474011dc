"""``python -m models.exports FOLDER``: the process that `run` starts."""

import sys

from models.exports.sandbox import main

sys.exit(main())
