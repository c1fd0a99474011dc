"""``python -m models.serving.exports FOLDER``: the child process that `run` starts."""

import sys

from models.serving.exports.process import main

sys.exit(main())
