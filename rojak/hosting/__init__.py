"""One process that serves the agents of a pool: from its configuration to workers, with health, metrics and an end
in good order. `rojak worker --config FILE` is this.
"""
