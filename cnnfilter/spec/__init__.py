"""What a network is, without arrays: sizes, layers, and the language that writes them down."""
