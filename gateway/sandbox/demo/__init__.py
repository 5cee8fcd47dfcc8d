"""The main job as a play: a sandbox axis, two provinces' gateways as processes, two vendors' document systems."""

import os

# gRPC's core reads this once, when it is first imported; otherwise it writes about lost connections into the timeline.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
