"""How one value comes about, as data and as text."""
