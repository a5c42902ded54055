"""How to rotate: knows arrays and turns, no Rope, no scaling, no configuration."""
