"""The base-URL endpoints for tools that do have such a setting; same life of a call as intercepted traffic."""
