"""Examples, each runnable on its own: ``python -m examples.pizza.demo``, ``python -m examples.weather.main``."""
