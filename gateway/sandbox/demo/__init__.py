"""The main job as a play: a sandbox axis, two provinces' gateways as processes, two vendors' document systems."""
