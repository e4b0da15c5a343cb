"""How people steer: commands parsed once, and the doors to them."""
