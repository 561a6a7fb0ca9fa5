"""`python -m tb_activations` is `tb-activations`."""

import sys

from tb_activations.cli.main import main

sys.exit(main())
