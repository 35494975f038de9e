"""Graph and Program: the two nouns that the whole simulator passes around."""
