"""The simulated national axis with its throwaway keys and demo vendors; built from no part of the gateway."""
