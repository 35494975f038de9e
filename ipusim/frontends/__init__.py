"""From workload documents to graphs."""
