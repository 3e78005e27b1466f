"""The demo's six domains, one module each. A module's `datasets(rng)` yields `Dataset`s whose answers are true by construction."""
