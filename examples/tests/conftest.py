"""Lets the tests import cdktf in a second: this has to come before they do."""

import prod_e

prod_e.enable_fast_imports()
