"""For all tests: properties draw the same examples every time, and no LGSP_ variable of the caller leaks in.

`pytest --hypothesis-profile=explore` draws new examples instead.
"""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("steady")

for _name in [name for name in os.environ if name.startswith("LGSP_")]:
    del os.environ[_name]
