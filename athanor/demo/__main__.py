"""``python -m athanor.demo [--out DIR]``"""

import sys

from athanor.demo.run import main

sys.exit(main())
