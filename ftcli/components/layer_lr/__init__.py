"""How fast each layer trains, as a factor on the base LR: pure functions over a layer map."""
