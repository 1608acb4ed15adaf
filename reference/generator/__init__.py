"""From a derivation to Python source."""
