"""Results for people and programs: pure functions from a result, a chip or a graph to text."""
